/** The actors of the project room: two people at their keyboards, an agent, and a summary each evening. */
import { actor, type Ref, type Troupe } from 'troupe'
import { nlu } from 'troupe/actors'
import { agent } from './agent.js'
import { Room, room, RoomNews } from './room.js'
import { understanding } from './understanding.js'

export const MEMBERS = ['Ada', 'Bo', 'Rex'] as const

/** Starts the room; `hear` gets what anybody says. */
export async function openRoom(troupe: Troupe, hear: (by: string, text: string) => void): Promise<Ref<(typeof Room)['specs']>> {
  const ref = troupe.spawn('room', room(troupe.spawn('nlu', nlu(understanding(MEMBERS)))))
  troupe.subscribe('room', troupe.spawn('rex', agent('Rex', ref)))
  troupe.subscribe('room', troupe.spawn('ear', actor(RoomNews, { on: { said: ({ by, text }) => hear(by, text), assigned: () => {} } })))
  await troupe.schedule('summary', { cron: '0 18 * * *', to: ref, message: { type: 'summarise' } })
  return ref
}
