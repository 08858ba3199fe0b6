/** An invented day on the wire, and what its topics sound like. */
import type { Example } from 'troupe/actors'
import type { Headline } from './wire.js'

export const START = Date.UTC(2026, 2, 10, 6)

const TOPICS: Readonly<Record<string, readonly string[]>> = {
  trains: ['trains run late after a signal failure', 'new night train connects two capitals', 'rail operator cancels services', 'passengers stranded at the central station', 'commuters praise the new metro line', 'train fares rise in spring', 'a broken rail stops traffic on the main line', 'high speed line opens to passengers', 'railway staff announce a strike', 'station reopens after repairs'],
  energy: ['power prices fall as wind farms deliver', 'oil refinery shut after a leak', 'blackout leaves homes without electricity', 'solar panels break a record', 'gas storage is full before winter', 'nuclear plant goes offline', 'electricity grid gets new batteries', 'fuel shortage at petrol stations', 'energy company invests in hydrogen', 'power plant restarts'],
  football: ['striker scores twice in the derby', 'coach sacked after third defeat', 'goalkeeper injured before the final', 'club signs a young midfielder', 'fans celebrate the championship', 'penalty decides the cup match', 'team relegated on the last day', 'captain extends his contract', 'national side wins the friendly', 'stadium sold out for the semi-final'],
  health: ['hospital opens a new children ward', 'flu cases rise in the region', 'vaccine shows good results', 'nurses complain about long shifts', 'study links sleep to memory', 'waiting times for surgery grow', 'doctors warn of a virus', 'clinic introduces free checks', 'patients wait hours in emergency rooms', 'new drug approved against migraine'],
}
export const topics: readonly Example[] = Object.entries(TOPICS).flatMap(([intent, texts]) => texts.map((text) => ({ text, intent })))

const DAY: readonly (readonly [string, string])[] = [
  ['06:10', 'Great start to the week: metro line wins praise for friendly staff'],
  ['06:40', 'Striker delights fans with a beautiful late goal'],
  ['07:15', 'Awful delays: trains cancelled after signal failure'],
  ['07:35', 'Hospital opens a bright and comfortable new ward'],
  ['07:50', 'Passengers angry at terrible service on the main line trains'],
  ['08:20', 'Solar panels deliver excellent results in spring'],
  ['08:30', 'Stranded train passengers complain of the worst morning in years'],
  ['08:55', 'Rail operator failed to warn commuters, poor information at the station'],
  ['09:05', 'Disappointed commuters wait in vain, train staff useless'],
  ['10:00', 'Power prices fall, good news for homes'],
  ['11:30', 'Club signs a wonderful young midfielder'],
  ['12:45', 'New drug works well against migraine, patients are happy'],
  ['14:10', 'Terrible defeat: coach sacked after a disappointing derby'],
  ['15:00', 'Night train to the capital is a great success with passengers'],
  ['16:20', 'Nurses complain about bad shifts at the hospital'],
  ['17:30', 'Electricity grid gets excellent new batteries'],
  ['18:45', 'Fans love the best football match of the year'],
]

export const headlines: readonly Headline[] = DAY.map(([time, text]) => {
  const [hours, minutes] = time.split(':').map(Number) as [number, number]
  return { at: Date.UTC(2026, 2, 10, hours, minutes), text }
})
