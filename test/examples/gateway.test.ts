// The support desk behind a gateway, as strangers reach it; the page itself is tried in test/browser.
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
  expect(await Promise.all(['/page/desk.js', '/troupe/client/index.js', '/troupe/runtime/nothing.js', '/troupe/client/nothing/index.js', '/troupe/client/..%2f..%2fpackage.json', '/page/..%2fopen.ts'].map(async (path) => (await fetch(url + path)).status))).toEqual([200, 200, 404, 404, 401, 401])
  expect([(await say({}, question)).status, (await say({ 'x-api-key': key }, { type: 'reset' })).status]).toEqual([401, 403])
})
