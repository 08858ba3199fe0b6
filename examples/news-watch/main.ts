/**
 * Watches a day of news: what each headline is about and how it sounds, and an alert when bad news on one topic surges.
 *
 *   node dist-examples/news-watch/main.js
 */
import { headlines, START, topics } from './day.js'
import { watchNews } from './watch.js'

const clockOf = (at: number): string => new Date(at).toISOString().slice(11, 16)
const MARKS = { negative: '-', neutral: ' ', positive: '+' }

await watchNews({
  start: START,
  headlines,
  topics,
  onHeadline: ({ at, topic, sentiment, text }) => console.log(`${clockOf(at)} ${MARKS[sentiment]} ${topic.padEnd(9)} ${text}`),
  onSurge: ({ at, topic, headlines: told }) => console.log(`${clockOf(at)} ! ALERT: ${told.length} bad headlines on ${topic} within two hours`),
})
