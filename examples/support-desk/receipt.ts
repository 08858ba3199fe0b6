/** What a customer's receipt says: read from its image, by the forms that receipts have. */
import { actor, protocol, request } from 'troupe'
import type { Ref } from 'troupe'
import { Nlu, type Part } from 'troupe/actors'
import { z } from 'zod'

const Facts = z.object({ shop: z.string(), number: z.string().optional(), total: z.number().optional(), currency: z.string().optional() })
export type ReceiptFacts = z.infer<typeof Facts>

export const Receipts = protocol({ read: request(z.object({ parts: z.array(z.custom<Part>()) }), Facts) })

const TOTAL = /^(?:grand )?total\b|^(?:实付|应付|合计)/i
const NUMBER = /^(?:receipt|order|invoice|bill)\s?(?:no\.?|number|#)?\s?[:：]?\s?([A-Z0-9-]{4,})|^(?:单号|订单号)[:：]\s?([A-Z0-9-]{4,})/im

/** `parse` reads the parts: images become text, and amounts of money get their places in it. */
export const receipts = (nlu: Ref<(typeof Nlu)['specs']>) =>
  actor(Receipts, { on: { read: async ({ parts }, me) => factsOf(await me.ask(nlu, { type: 'parse', text: '', parts })) } })

interface Read {
  readonly text?: string
  readonly entities: readonly { readonly type: string; readonly start: number; readonly number?: number; readonly unit?: string }[]
}

/** The total stands on the last row that is named so; what a row is called stands before its amount. */
export function factsOf({ text = '', entities }: Read): ReceiptFacts {
  const row = text.split('\n').findLast((each) => TOTAL.test(each.trim()))
  const start = row === undefined ? -1 : text.lastIndexOf(row)
  const amount = entities.find((entity) => row !== undefined && entity.number !== undefined && entity.start >= start && entity.start < start + row.length)
  const number = NUMBER.exec(text)
  const shop = text.split('\n')[0]?.trim() ?? ''
  return { shop, ...(number !== null && { number: number[1] ?? number[2] ?? '' }), ...(amount?.number !== undefined && { total: amount.number }), ...(amount?.unit !== undefined && { currency: amount.unit }) }
}

/** What the desk says of it. */
export function spoken({ shop, number, total, currency }: ReceiptFacts): string {
  if (number === undefined && total === undefined) return 'I could not read a total or a number on this picture.'
  const which = number === undefined ? 'Your receipt' : `Your receipt ${number}`
  return `${which} from ${shop} comes to ${total === undefined ? 'a total that I cannot read' : `${total.toFixed(2)}${currency === undefined ? '' : ` ${currency}`}`}.`
}
