/** What a chat message asks of the room: by examples of each wish, the names of those who are there, and dates. */
import type { Example, NluOptions, Parsed } from 'troupe/actors'

const said: Readonly<Record<string, readonly string[]>> = {
  assign: ['Ada, please fix the login by Friday', 'Bo, can you write the release notes until tomorrow', 'Rex, run the tests', 'please prepare the slides, Ada', 'could Bo update the invoice page by Monday', 'Rex please build the package', 'Ada should call the customer on Tuesday', 'Bo, take care of the backup', 'I want Ada to review the contract', 'can Rex check the links today'],
  finish: ['the login is fixed', 'I finished the release notes', 'done with the slides', 'the tests have run, all green', 'I have called the customer', 'the backup is done', 'the contract is reviewed', 'I am done with the invoice page', 'finished the report', 'that is done now'],
  list: ['who does what', 'what is open', 'which tasks are there', 'what do I have to do', 'list the tasks', 'show me the open tasks', 'what is left to do', 'who is working on what', 'how far are we', 'what is on the list'],
  chat: ['good morning everybody', 'thanks a lot', 'how was your weekend', 'I am back from lunch', 'that looks great', 'the weather is nice today', 'see you tomorrow', 'does anybody want coffee', 'happy birthday', 'I like the new colours', 'ok', 'the train was late again'],
}

export const understanding = (members: readonly string[]): NluOptions => ({
  examples: Object.entries(said).flatMap(([intent, texts]): Example[] => texts.map((text) => ({ text, intent }))),
  entities: [{ type: 'member', values: members }],
})

export type Wish =
  | { readonly kind: 'assign'; readonly who: string; readonly task: string; readonly due?: string }
  | { readonly kind: 'finish'; readonly words: string }
  | { readonly kind: 'list' }
  | { readonly kind: 'none' }

export function wishOf(text: string, { intents, entities }: Pick<Parsed, 'intents' | 'entities'>): Wish {
  const member = entities.find(({ type }) => type === 'member')
  const day = entities.find(({ type }) => type === 'date' || type === 'time')
  switch (intents[0]?.name ?? '') {
    case 'assign': {
      const task = taskIn(text, [member, day])
      if (member?.canonical === undefined || task === '') return { kind: 'none' }
      return { kind: 'assign', who: member.canonical, task, ...(day?.at !== undefined && { due: day.at.slice(0, 10) }) }
    }
    case 'finish':
      return { kind: 'finish', words: text }
    case 'list':
      return { kind: 'list' }
    default:
      return { kind: 'none' }
  }
}

interface Place {
  readonly start: number
  readonly end: number
}

/** What is left of a sentence without who is to do it, by when, and the politeness. */
function taskIn(text: string, places: readonly (Place | undefined)[]): string {
  const rest = places
    .flatMap((place) => place ?? [])
    .toSorted((a, b) => b.start - a.start)
    .reduce((left, { start, end }) => `${left.slice(0, start)} ${left.slice(end)}`, text)
  return rest
    .replaceAll(/\b(?:please|can you|could you|will you|would you|can|could|should|i want|kindly)\b/gi, ' ')
    .replaceAll(/[\s,.!?]+/g, ' ')
    .replace(/^\s*(?:to|by|until|on|till)?\s+|\s+(?:by|until|on|till)?\s*$/gi, ' ')
    .replace(/\s+(?:by|until|on|till)$/i, '')
    .trim()
}
