/** The support desk inside a NestJS service: the troupe is a provider, stopped with the application. */
import 'reflect-metadata'
import { pipeline } from 'node:stream/promises'
import { Body, Catch, Controller, Inject, Module, Param, Post, Res, type ArgumentsHost, type DynamicModule, type ExceptionFilter, type OnApplicationShutdown } from '@nestjs/common'
import type { Response } from 'express'
import type { Ref, Troupe } from 'troupe'
import type { Dialogue } from 'troupe/actors'
import { openDesk } from '../support-desk/desk.js'
import { problem, reply } from './reply.js'

const TROUPE = Symbol('troupe')
const DESK = Symbol('desk')
type Desk = (conversation: string) => Ref<(typeof Dialogue)['specs']>

@Controller('chat')
class ChatController {
  constructor(@Inject(DESK) private readonly desk: Desk) {}

  @Post(':id')
  async say(@Param('id') id: string, @Body() body: { text?: unknown } | undefined, @Res() response: Response): Promise<void> {
    const words = await reply(this.desk(id), body?.text)
    response.status(200).type('text/plain')
    await pipeline(words, response).catch(() => {})
  }
}

@Catch()
export class Problems implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const { status, body } = problem(thrown)
    host.switchToHttp().getResponse<Response>().status(status).json(body)
  }
}

@Module({})
export class DeskModule implements OnApplicationShutdown {
  constructor(@Inject(TROUPE) private readonly troupe: Troupe) {}

  static with(troupe: Troupe): DynamicModule {
    return {
      module: DeskModule,
      controllers: [ChatController],
      providers: [
        { provide: TROUPE, useValue: troupe },
        { provide: DESK, useFactory: () => openDesk(troupe) },
      ],
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.troupe.stop()
  }
}
