/** The desk behind a gateway: one key, which may talk to it and do nothing else. */
import { randomBytes } from 'node:crypto'
import type { Troupe } from 'troupe'
import { Dialogue, gateway } from 'troupe/actors'
import { openDesk } from '../support-desk/desk.js'
import { page } from './page.js'

export async function openGateway(troupe: Troupe, { port }: { readonly port: number }): Promise<{ readonly url: string; readonly key: string }> {
  await openDesk(troupe)
  const key = randomBytes(24).toString('hex')
  const keys = [{ name: 'page', key, may: { 'dialogue/*': ['say'] }, rate: { perSecond: 5, burst: 20 } }]
  const ref = troupe.spawn('gateway', gateway(troupe, { actors: { 'dialogue/*': Dialogue }, port, keys, faces: [page] }))
  const { url } = await ref.ask({ type: 'listening' })
  return { url, key }
}
