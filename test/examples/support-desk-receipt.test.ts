import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { factsOf, spoken } from '../../examples/support-desk/receipt.js'

const main = fileURLToPath(new URL('../../dist-examples/support-desk/main.js', import.meta.url))
const receipt = (name: string): string => fileURLToPath(new URL(`../fixtures/receipts/${name}.png`, import.meta.url))

test('the desk reads total and number on pictures of receipts, and answers the rest from its pages', { timeout: 60_000 }, () => {
  const input = `What did I pay? @${receipt('english')}\n@${receipt('english-slanted')} How long do I have to return a parcel?\n`
  const { stdout, status } = spawnSync(process.execPath, [main], { input, encoding: 'utf8' })
  expect(stdout.split('\n')).toEqual([
    'Your receipt 004817 from CORNER BAKERY comes to 14.69 GBP.',
    'Your receipt 004817 from CORNER BAKERY comes to 14.69 GBP.',
    'You can return a parcel within 30 days of delivery. [1]',
    '[1] Returns — pages/returns.md',
    '',
  ])
  expect(status).toBe(0)
})

test('a picture that is not there, or none, is told, and the next line is answered', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main], { input: `@nowhere.png\n@${main}\nhello\n`, encoding: 'utf8' })
  expect(stdout).toBe('Hello! What would you like to know about your order?\n')
  expect(stderr).toContain('nowhere.png')
  expect(status).toBe(1)
})

test('what cannot be read is said honestly', () => {
  expect(spoken(factsOf({ text: 'A CAT\nmeow', entities: [] }))).toBe('I could not read a total or a number on this picture.')
  expect(spoken(factsOf({ text: 'SHOP\nReceipt No. 12345\nTOTAL ???', entities: [] }))).toBe('Your receipt 12345 from SHOP comes to a total that I cannot read.')
})
