/** An agent among the members: what is assigned to it, it does, one after another, and reports. */
import { actor, type Ref } from 'troupe'
import { RoomNews, type Room } from './room.js'

/** How long a piece of work takes it; put a model with tools here. */
const WORK = '2h'

export const agent = (name: string, room: Ref<(typeof Room)['specs']>) =>
  actor(RoomNews, {
    on: {
      said: () => {},
      assigned: async ({ who, number }, me) => {
        if (who !== name) return
        await me.sleep(WORK)
        me.tell(room, { type: 'finished', number })
      },
    },
  })
