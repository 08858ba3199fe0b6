/** The support desk inside a Fastify service. */
import fastify, { type FastifyInstance } from 'fastify'
import type { Troupe } from 'troupe'
import { openDesk } from '../support-desk/desk.js'
import { problem, reply } from './reply.js'

export async function fastifyService(troupe: Troupe): Promise<FastifyInstance> {
  const conversation = await openDesk(troupe)
  const app = fastify()
  app.setErrorHandler(async (error, _, response) => {
    const { status, body } = problem(error)
    return response.code(status).send(body)
  })
  app.post<{ Params: { id: string }; Body: { text?: unknown } | undefined }>('/chat/:id', async (request, response) => {
    const words = await reply(conversation(request.params.id), request.body?.text)
    return response.type('text/plain; charset=utf-8').send(words)
  })
  app.addHook('onClose', () => troupe.stop())
  return app
}
