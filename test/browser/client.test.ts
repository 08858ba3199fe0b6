// The client in a real browser, as a page of another origin uses it: `npm ci` has brought the browser along.
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { GatewayOptions } from 'troupe/actors'
import { breakingProxy, type BreakingProxy } from '../gateway/breaking-proxy.js'
import { END, chunk, rogue } from '../gateway/rogue.js'
import { open, type Stage } from '../gateway/shop.js'
import { noBrowser, openBrowser } from './chromium.js'
import { openSite, type Site } from './site.js'

type Visitor = typeof import('./visitor.js')
type Visit = <K extends keyof Visitor>(what: K, ...how: Parameters<Visitor[K]>) => Promise<Awaited<ReturnType<Visitor[K]>>>

let browser: Browser
let site: Site
let page: Page
let stage: Stage
let between: BreakingProxy | undefined

const opened = async (options: Partial<GatewayOptions> = {}): Promise<string> => {
  stage = await open({ origins: [site.origin], ...options })
  return stage.url
}
const visit: Visit = (what, ...how) => page.evaluate(`visitor.${what}(...${JSON.stringify(how)})`)
const enter = async (origin: string): Promise<void> => {
  await page.goto(origin)
  await page.waitForFunction('globalThis.visitor !== undefined')
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

describe.skipIf(noBrowser)(`the client in a browser${noBrowser === undefined ? '' : ` (${noBrowser})`}`, () => {
  beforeAll(async () => {
    site = await openSite()
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await site?.close()
  })
  beforeEach(async () => {
    page = await browser.newPage()
    await enter(site.origin)
  })
  afterEach(async () => {
    await page.close()
    between?.close()
    stage.seen.release()
    await stage.troupe.stop()
  })

  test('asks and tells across origins, after a preflight', async () => {
    const url = await opened({ keys: [{ name: 'page', key: 'a-key-of-thirty-two-characters-x', may: '*' }] })
    expect(await visit('addsAndNotes', url, 'a-key-of-thirty-two-characters-x')).toEqual({ sum: 3, notes: ['from a page'] })
  })

  test('throws errors as they were there, with their hints', async () => {
    const url = await opened()
    for (const message of [{ type: 'add', a: 1, b: 'two' }, { type: 'fail' }]) {
      const { code, hint } = (await (await stage.post('/actors/counter', message)).json()) as { code: string; hint: string }
      expect(await visit('isRefused', url, message)).toMatchObject({ isTroupeError: true, code, hint })
    }
    expect(await visit('isRefused', url, { type: 'add', a: 1, b: 'two' })).toMatchObject({ details: { issues: [{ path: 'b' }] } })
    expect(await visit('isRefused', 'http://127.0.0.1:1', { type: 'add', a: 1, b: 2 })).toMatchObject({ isTroupeError: true, code: 'Interrupted' })
  })

  test('takes a stream up where its connection broke: nothing twice, nothing missing', async () => {
    await opened()
    between = await breakingProxy(stage.port, [50_000, 70_000, Infinity])
    expect(await visit('counts', between.url, 100, 2_000)).toEqual(upTo(100))
    expect(between.connections).toBeGreaterThanOrEqual(3)
  })

  test('notices a connection that has silently gone', async () => {
    await opened()
    const posts: (string | string[] | undefined)[] = []
    const silent = await rogue((response, { method, headers }) => {
      response.writeHead(200, { 'access-control-allow-origin': site.origin, 'access-control-allow-headers': '*', 'access-control-allow-methods': '*' })
      if (method !== 'POST') return void response.end()
      if (posts.push(headers['last-event-id']) === 1) response.write(chunk('a', { n: 1 }))
      else response.end(chunk('b', { n: 2 }) + END)
    })
    expect(await visit('countsImpatiently', silent.url)).toEqual([1, 2])
    expect(posts).toEqual([undefined, 'a'])
    silent.close()
  })

  test('calls a stream off when its loop is left', async () => {
    const url = await opened()
    expect(await visit('countsUntil', url, 3)).toBe(3)
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test("goes on by the browser's own EventSource, too", async () => {
    await opened()
    between = await breakingProxy(stage.port, [50_000, Infinity])
    expect(await visit('listens', between.url, 100, 2_000)).toEqual(upTo(100))
    expect(between.connections).toBe(2)
  })

  test('converses with a key, and a slow reader slows its actor down', async () => {
    const url = await opened({ keys: [{ name: 'page', key: 'a-key-of-thirty-two-characters-x', may: '*' }] })
    expect(await visit('talks', url, 'a-key-of-thirty-two-characters-x')).toEqual([3, 7])
    expect(await visit('readsOne')).toBe(1)
    // 32 by credit, and the 32 that any reader's stream may be ahead.
    expect(stage.seen.made).toBeLessThanOrEqual(32 + 32 + 2)
    expect(await visit('readsOn', 200)).toBe(200)
    expect(stage.seen.made).toBeGreaterThanOrEqual(200)
    await visit('stopsReading')
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('calls off what it no longer wants, down to the actor', async () => {
    const url = await opened()
    await visit('beginsToWait', url)
    await stage.seen.waiting
    expect(await visit('callsOff')).toMatchObject({ isTroupeError: true, code: 'Cancelled', details: { reason: 'caller' } })
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('calls off what is under way when its page is left', async () => {
    const url = await opened()
    await visit('beginsToWait', url)
    await stage.seen.waiting
    await page.goto('about:blank')
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('is of no use to a page of an origin that is not listed', async () => {
    const url = await opened()
    await enter(site.otherOrigin)
    expect(await visit('isKeptFromNoting', url)).toMatchObject({ isTroupeError: true, code: 'Interrupted' })
    expect(await visit('isKeptFromTalking', url)).toMatchObject({ isTroupeError: true, code: 'Interrupted' })
    await enter(site.origin)
    expect(await visit('addsAndNotes', url)).toEqual({ sum: 3, notes: ['from a page'] })
  })
})
