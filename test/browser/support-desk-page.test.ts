// The page of the gateway's example, as somebody at a browser uses it.
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { openGateway } from '../../examples/gateway/open.js'
import { noBrowser, openBrowser } from './chromium.js'

let browser: Browser
let troupe: Troupe
let at: { readonly url: string; readonly key: string }
let page: Page
const wrong: string[] = []

const ask = async (text: string): Promise<void> => {
  await page.getByLabel('Question').fill(text)
  await page.getByLabel('Question').press('Enter')
}
const lines = (kind: string): Promise<string[]> => page.locator(`.${kind}`).allInnerTexts()

describe.skipIf(noBrowser)("the support desk's page", () => {
  beforeAll(async () => {
    troupe = await createTroupe({ log: () => {} })
    ;[at, browser] = await Promise.all([openGateway(troupe, { port: 0 }), openBrowser()])
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await troupe?.stop()
  })
  const enter = async (path: string): Promise<void> => {
    page = await browser.newPage()
    page.on('pageerror', (error) => wrong.push(String(error)))
    await page.goto(at.url + path)
  }
  afterEach(async () => {
    await page.close()
    expect(wrong.splice(0)).toEqual([])
  })

  test('shows answers with their sources, in both languages', { timeout: 60_000 }, async () => {
    await enter(`/#${at.key}`)
    await ask('How long do I have to return a parcel?')
    await page.getByText('[1] Returns').waitFor()
    expect(await lines('answer')).toEqual([expect.stringContaining('30 days')])
    await page.getByRole('button', { name: 'Send' }).waitFor()
    await ask('你好')
    await page.locator('.answer').nth(1).getByText('您好').waitFor()
    expect(await lines('question')).toEqual(['How long do I have to return a parcel?', '你好'])
    expect(await lines('failed')).toEqual([])
  })

  test('says what is wrong, and goes on', async () => {
    await enter('/')
    await ask('Hello?')
    await page.locator('.failed').waitFor()
    expect([await lines('answer'), await lines('failed')]).toEqual([[], [expect.stringContaining('without a key')]])
    await ask('Anybody?')
    await page.locator('.failed').nth(1).waitFor()
  })

  test('stops an answer that takes too long', async () => {
    await enter(`/#${at.key}`)
    await page.route('**/actors/**', () => {})
    await ask('Hello?')
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByRole('button', { name: 'Send' }).waitFor()
    expect(await lines('failed')).toEqual(['stopped'])
  })
})
