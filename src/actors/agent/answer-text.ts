/**
 * The text of `{"answer":"…"}` while it is written: each piece of the JSON gives what more of the text is certain. A piece
 * may end within an escape or between the halves of a character; those wait for the next.
 */
export function answerText(): (piece: string) => string {
  let left = ''
  let begun = false
  return (piece) => {
    left += piece
    if (!begun) {
      const opening = /^\s*\{\s*"answer"\s*:\s*"/.exec(left)
      if (opening === null) return ''
      begun = true
      left = left.slice(opening[0].length)
    }
    const signs = left.match(/[^"\\]|\\u[0-9a-f]{4}|\\[^u]/giy) ?? []
    if (HALF.test(signs.at(-1) ?? '')) signs.pop()
    const certain = signs.join('')
    left = left.slice(certain.length)
    return JSON.parse(`"${certain}"`) as string
  }
}

/** The first of a pair of UTF-16 units, as it is or escaped. */
const HALF = /^(?:[\uD800-\uDBFF]|\\ud[89ab][0-9a-f]{2})$/i
