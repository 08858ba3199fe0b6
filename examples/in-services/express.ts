/** The support desk inside an Express service. */
import { pipeline } from 'node:stream/promises'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { Troupe } from 'troupe'
import { openDesk } from '../support-desk/desk.js'
import { problem, reply } from './reply.js'

export async function expressService(troupe: Troupe): Promise<Express> {
  const conversation = await openDesk(troupe)
  const app = express()
  app.use(express.json())
  app.post('/chat/:id', async (request: Request<{ id: string }, unknown, { text?: unknown } | undefined>, response) => {
    const words = await reply(conversation(request.params.id), request.body?.text)
    response.type('text/plain')
    // A caller who leaves ends the pipeline, which ends the reply.
    await pipeline(words, response).catch(() => {})
  })
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const { status, body } = problem(error)
    response.status(status).json(body)
  })
  return app
}
