/** Text cut into words and sentences, with their places. Node carries the dictionaries for Chinese and Japanese. */

export interface Token {
  readonly text: string
  readonly start: number
  readonly end: number
}

const words = new Intl.Segmenter('en', { granularity: 'word' })
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** Words, numbers and marks; no white space. */
export const tokensOf = (text: string): Token[] =>
  Array.from(words.segment(text), ({ segment, index }) => ({ text: segment, start: index, end: index + segment.length })).filter((token) => token.text.trim() !== '')

/** Where each sentence starts and ends, the white space after it included. */
export const sentenceSpans = (text: string): { readonly start: number; readonly end: number }[] =>
  Array.from(sentences.segment(text), ({ segment, index }) => ({ start: index, end: index + segment.length }))

/** Sentences without the white space around them. */
export const sentencesOf = (text: string): string[] =>
  Array.from(sentences.segment(text), ({ segment }) => segment.trim()).filter((sentence) => sentence !== '')

const HAN = /\p{Script=Han}/u
const RUNS = /\p{Script=Han}+|[\p{L}\p{N}]+(?:['’][\p{L}]+)?/gu

/** Small words that carry no topic. */
const STOP = new Set(
  ('a an the and or but if of to in on at for from with by about as into is am are was were be been being do does did doing have has had having i me my we us our you your he him his she her it its they them their ' +
    'this that these those there here what which who whom whose how when where why can could will would shall should may might must not no nor so too very just than then any some all please tell want need like get got let ' +
    "i'm i've i'd it's don't can't what's there's").split(' '),
)
const STOP_HAN = new Set(['什么', '怎么', '怎样', '可以', '能否', '是否', '请问', '你们', '我们', '我的', '多少', '哪里', '如何', '为什', '吗', '呢', '的', '了', '在', '是', '我', '你', '您', '有'])

/** A light stem: endings that English grammar adds. The same for query and passage, so it need not be a word. */
function stem(word: string): string {
  let stemmed = word.replace(/['’]s?$/u, '')
  if (stemmed.length > 4) stemmed = stemmed.replace(/ies$/, 'y').replace(/(sses|shes|ches|xes)$/, (ending) => ending.slice(0, -2)).replace(/([^su])s$/, '$1')
  else if (stemmed.length === 4) stemmed = stemmed.replace(/([^su])s$/, '$1')
  if (stemmed.length > 5) stemmed = stemmed.replace(/(ing|ed)$/, '').replace(/([bdgklmnprt])\1$/, '$1')
  if (stemmed.length > 4) stemmed = stemmed.replace(/e$/, '')
  return stemmed
}

/** What full text compares: stems of words that carry meaning, and pairs of Chinese characters. */
export function termsOf(text: string): string[] {
  const terms: string[] = []
  for (const [run] of text.normalize('NFKC').toLowerCase().matchAll(RUNS)) {
    if (!HAN.test(run)) {
      if (!STOP.has(run)) terms.push(stem(run))
    } else if (run.length === 1) {
      if (!STOP_HAN.has(run)) terms.push(run)
    } else {
      for (let at = 0; at + 2 <= run.length; at++) {
        const pair = run.slice(at, at + 2)
        if (!STOP_HAN.has(pair)) terms.push(pair)
      }
    }
  }
  return terms
}
