/** The body of a response as text, piece by piece, and never more than there is room for. */
import { TroupeError } from '../ground/errors.js'
import { ANSWER_CHARS_MAX } from './limits.js'

export async function* piecesOf(response: Response): AsyncGenerator<string, undefined> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader()
  if (reader === undefined) return
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

/** The whole of it. Throws `InvalidMessage` when it is too much. */
export async function textOf(response: Response): Promise<string> {
  let text = ''
  for await (const piece of piecesOf(response)) {
    text += piece
    if (text.length > ANSWER_CHARS_MAX) throw new TroupeError('InvalidMessage', `the answer has more than ${ANSWER_CHARS_MAX} characters`, 'let the actor reply with less, or stream it')
  }
  return text
}

/** Its beginning, where nobody needs the rest. */
export async function beginningOf(response: Response, chars: number): Promise<string> {
  let text = ''
  for await (const piece of piecesOf(response)) if ((text += piece).length >= chars) break
  return text.slice(0, chars)
}
