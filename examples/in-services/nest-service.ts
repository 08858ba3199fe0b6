/** Starts the NestJS application, and tells where it listens. */
import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import type { Troupe } from 'troupe'
import { DeskModule, Problems } from './nest.js'

export async function nestService(troupe: Troupe, port: number): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const app = await NestFactory.create<NestExpressApplication>(DeskModule.with(troupe), { logger: false })
  app.useGlobalFilters(new Problems())
  await app.listen(port, '127.0.0.1')
  const server: Server = app.getHttpServer()
  return { port: (server.address() as AddressInfo).port, close: () => app.close() }
}
