/** How alike two short texts are, from 0 to 1, whatever the order of their words. */

const wordsOf = (text: string): string[] => (text.normalize('NFKC').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).toSorted()

/** Twice what is common, in order, over the length of both: the ratio of their words, sorted. */
export function likeness(one: string, other: string): number {
  const a = wordsOf(one).join(' ')
  const b = wordsOf(other).join(' ')
  if (a === b) return 1
  if (a === '' || b === '') return 0
  return (2 * commonLength(a, b)) / (a.length + b.length)
}

/** The length of the longest common subsequence. */
function commonLength(a: string, b: string): number {
  let before = new Uint16Array(b.length + 1)
  let now = new Uint16Array(b.length + 1)
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      now[j + 1] = a.charCodeAt(i) === b.charCodeAt(j) ? (before[j] as number) + 1 : Math.max(before[j + 1] as number, now[j] as number)
    }
    ;[before, now] = [now, before]
  }
  return before[b.length] as number
}
