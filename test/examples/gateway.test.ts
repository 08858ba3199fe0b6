// The support desk behind a gateway, as a page and a stranger reach it.
import { Script } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { openGateway } from '../../examples/gateway/open.js'
import { collect, eventsOf } from '../gateway/shop.js'

let troupe: Troupe
afterEach(() => troupe.stop())

test('answers with its sources, part by part, to who has the key; the page is for anybody', { timeout: 60_000 }, async () => {
  troupe = await createTroupe({ log: () => {} })
  const { url, key } = await openGateway(troupe, { port: 0 })
  const say = (headers: Record<string, string>, body: object): Promise<Response> => fetch(`${url}/actors/dialogue/ada`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  const question = { type: 'say', text: 'How long do I have to return a parcel?' }
  const events = await collect(eventsOf(await say({ 'x-api-key': key }, question)))
  const chunks = events.map(({ data }) => data as { kind: string; text?: string; sources?: { title: string }[] } | null)
  expect(chunks.map((chunk) => chunk?.text ?? '').join('')).toMatch(/30 days/)
  expect(chunks.flatMap((chunk) => chunk?.sources ?? []).length).toBeGreaterThan(0)
  expect(events.at(-1)?.event).toBe('end')

  const page = await fetch(url)
  expect([page.status, page.headers.get('content-type'), page.headers.get('content-security-policy')]).toEqual([200, 'text/html; charset=utf-8', expect.stringContaining("connect-src 'self'")])
  // What the page's script sends is what was sent above, and it parses.
  const script = /<script type="module">([^]*)<\/script>/.exec(await page.text())?.[1] ?? ''
  expect(() => new Script(`async () => {${script}}`)).not.toThrow()
  expect([(await say({}, question)).status, (await say({ 'x-api-key': key }, { type: 'reset' })).status]).toEqual([401, 403])
})
