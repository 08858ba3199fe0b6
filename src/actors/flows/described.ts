/** What a slot's name and description tell of it: what it takes, and by which words people point at it. */
import type { Kind } from './forms.js'

const STOP = new Set(
  'the a an of in on at for to from by with and or is are be was user users which where when what whether if this that it its has have been name number boolean flag indicating type kind value used specified given particular whose who there any not other than does type available time date location city place'.split(' '),
)
/** People are counted by many words. */
const PEOPLE = ['people', 'person', 'persons', 'passengers', 'guests', 'adults', 'travelers', 'travellers', 'riders', 'seats', 'tickets', 'friends', 'us', 'party', 'passenger', 'adult', 'seat', 'ticket', 'traveler', 'rider', 'guest', 'men', 'women', 'others']

/** The first that fits decides; what is counted or asked with "whether" hides the rest. */
const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/\b(?:whether|boolean)\b/u, 'yes-no'],
  [/\b(?:number of|how many|count|length of stay|days? of stay|duration)\b/u, 'number'],
  [/\be-?mail\b/u, 'email'],
  [/\b(?:phone|telephone)\b/u, 'phone'],
  [/\b(?:url|website|link)\b/u, 'url'],
  [/\b(?:date|day|birthday)\b/u, 'date'],
  [/\btime\b/u, 'time'],
  [/\b(?:amount|price|fare|cost|rent|balance|fee|budget|sum)\b/u, 'money'],
  [/\b(?:genre|cuisine|category|subcategory|style|type|kind)\b/u, 'category'],
  [/\b(?:city|cities|location|destination|origin|area|address|airport|station|town|country|region)\b/u, 'place'],
  [/\b(?:artist|actor|actors|actress|director|directed|starring|cast|person|recipient|receiver|stylist|doctor|dentist|therapist|contact|author|singer|provider|performer|customer|guest)\b/u, 'person'],
  [/\b(?:place|venue|theater|theatre|where)\b/u, 'place'],
  [/\b(?:title|song|movie|film|album|track|event|name|show|book)\b/u, 'title'],
]

/** Words before a value that say which of two alike slots it is for, by what the slot's description says of its part. */
const PARTS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\b(?:return|checkout|check out|dropoff|drop off|end|ending|inbound|until|coming back)\b/u, ['return', 'returning', 'back', 'until', 'till', 'through', 'checking out', 'check out', 'drop', 'end', 'ending', 'to', 'leave on', 'leaving on']],
  [/\b(?:pickup|pick up|check in|checkin|departure|depart|leaving|outbound|start|starting|begin|visit)\b/u, ['leave', 'leaving', 'depart', 'departing', 'starting', 'start', 'check in', 'checking in', 'pick', 'from', 'begin', 'beginning', 'go']],
  [/\b(?:origin|originates|from|departure|source|starts|out of|depart)\b/u, ['from', 'leaving', 'departing', 'out of', 'leave', 'depart', 'live in']],
  [/^to\b|\b(?:destination|arrival|arriving|ends|going|where to)\b/u, ['to', 'towards', 'toward', 'into', 'arriving', 'arrive', 'visit', 'reach', 'in', 'for']],
  [/\b(?:director|directed)\b/u, ['directed', 'director', 'by']],
  [/\b(?:actor|actors|starring|cast)\b/u, ['starring', 'stars', 'acted', 'actor', 'with', 'featuring', 'starred', 'star', 'acts', 'cast']],
  [/\b(?:artist|singer|author)\b/u, ['by', 'from', 'artist', 'of']],
  [/\balbum\b/u, ['album', 'from', 'off']],
]

export interface Described {
  readonly kind: Kind
  /** Words that stand before its value. */
  readonly cues: readonly string[]
  /** Words that stand beside its value, or name what it is about. */
  readonly nouns: readonly string[]
}

/** What a text of the declaration says of a slot; a declared kind decides over values, and these over words. */
export function described(name: string, description: string, values: readonly string[] = [], declared?: Kind): Described {
  const words = name.replaceAll('_', ' ').replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  const all = `${words} ${description.toLowerCase()}`
  const plain = all.match(/[\p{L}]+/gu) ?? []
  const kind = declared ?? kindOf(words, description.toLowerCase(), values)
  // Of a yes or no, its name says what it is about; the description speaks of much besides.
  const nouns = [...new Set((kind === 'yes-no' ? (words.match(/[\p{L}]+/gu) ?? []) : plain).filter((word) => word.length > 2 && !STOP.has(word)))]
  const countsPeople = nouns.some((noun) => PEOPLE.includes(noun))
  const cues = [...new Set(PARTS.filter(([part]) => part.test(all)).flatMap(([, cues]) => cues))]
  return { kind, cues, nouns: (kind === 'number' || kind === 'listed') && countsPeople ? [...new Set([...nouns, ...PEOPLE])] : nouns }
}

function kindOf(name: string, description: string, values: readonly string[]): Kind {
  if (values.length > 0) {
    if (values.every((value) => /^(?:true|false|yes|no)$/iu.test(value))) return 'yes-no'
    return values.filter((value) => /^\d+$/u.test(value)).length * 2 > values.length ? 'number' : 'listed'
  }
  // Of the name its last word tells most; the description stands in when the name says nothing.
  const plain = name.split(' of ')[0] ?? name
  const last = plain.replace(/(?<=.) name$/u, '').split(' ').at(-1) ?? name
  const isOf = (text: string): Kind | undefined => KINDS.find(([pattern]) => pattern.test(text))?.[1]
  return isOf(last) ?? (plain.endsWith(' name') ? 'title' : (isOf(name) ?? isOf(description) ?? 'text'))
}

/** Leaves each slot the nouns that tell it from the others, and from what all of them are about. */
export function toldApart<S extends { readonly nouns: readonly string[]; readonly kind: Kind }>(slots: readonly S[], about: string): S[] {
  const common = new Set(about.toLowerCase().match(/[\p{L}]+/gu))
  const uses = new Map<string, number>()
  for (const { nouns } of slots) for (const noun of nouns) uses.set(noun, (uses.get(noun) ?? 0) + 1)
  const tells = (kind: Kind, noun: string): boolean => {
    const times = uses.get(noun) ?? 0
    if (kind === 'yes-no') return times === 1 && !common.has(noun)
    return times <= Math.max(1, slots.length / 4) || (kind === 'number' && PEOPLE.includes(noun))
  }
  return slots.map((slot) => ({ ...slot, nouns: slot.nouns.filter((noun) => tells(slot.kind, noun)) }))
}
