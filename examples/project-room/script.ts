/** What is said in the room on two days. */
import type { Duration } from 'troupe'

export const SCRIPT: readonly ({ readonly who: string; readonly text: string } | { readonly wait: Duration })[] = [
  { who: 'Bo', text: 'Good morning everybody!' },
  { who: 'Bo', text: 'Ada, please fix the login by Friday' },
  { who: 'Ada', text: 'Rex, can you run the link checker today?' },
  { who: 'Ada', text: 'Bo, please write the release notes until tomorrow.' },
  { wait: '4h' },
  { who: 'Bo', text: 'Who does what?' },
  { wait: '8h' },
  { wait: '14h' },
  { who: 'Ada', text: 'The login is fixed.' },
  { wait: '10h' },
]
