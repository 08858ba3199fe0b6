/** What operators look at: whether it lives, whether it is ready, its figures, and what it serves. */
import type { Answer, Face } from './face.js'
import { openapi } from './openapi.js'

const up = (status: number, text: string): Answer => ({ kind: 'json', status, body: { status: text } })

export const operationsFace = ({ secured }: { readonly secured: boolean }): Face => ({
  routes: ({ isDraining, metrics, shop }) => [
    { method: 'GET', path: '/healthz', open: true, handle: () => up(200, 'ok') },
    { method: 'GET', path: '/readyz', open: true, handle: () => (isDraining() ? up(503, 'stopping') : up(200, 'ready')) },
    {
      method: 'GET',
      path: '/metrics',
      handle: (call) => {
        call.allow('/metrics', 'read')
        return { kind: 'text', type: 'text/plain; version=0.0.4; charset=utf-8', text: metrics.text() }
      },
    },
    // Whoever was let in may know what is meant for them.
    { method: 'GET', path: '/openapi.json', handle: ({ caller }) => ({ kind: 'json', status: 200, body: openapi(shop.entries, caller.may, { secured }) }) },
  ],
})
