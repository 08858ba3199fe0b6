/** As much of the AI SDK's model interface (specification v3, `@ai-sdk/provider` 3) as an actor speaks. */

export interface SdkMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | readonly { readonly type: string; readonly text?: string; readonly mediaType?: string; readonly data?: unknown }[]
}

export interface SdkCall {
  readonly prompt: readonly SdkMessage[]
  readonly maxOutputTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly seed?: number | undefined
  readonly stopSequences?: readonly string[] | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly responseFormat?: { readonly type: 'text' } | { readonly type: 'json'; readonly schema?: unknown } | undefined
  readonly tools?: readonly unknown[] | undefined
  readonly abortSignal?: AbortSignal | undefined
}

export interface SdkWarning {
  type: 'unsupported'
  feature: string
  details: string
}

export interface SdkUsage {
  inputTokens: { total: number; noCache: undefined; cacheRead: undefined; cacheWrite: undefined }
  outputTokens: { total: number; text: undefined; reasoning: undefined }
}

export interface SdkFinish {
  unified: 'stop' | 'length' | 'content-filter' | 'other'
  raw: string
}

type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

/** `providerExecuted`: the actor has run the tool itself; `dynamic`: the caller need not know it. */
export type SdkToolPart =
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string; providerExecuted: true; dynamic: true }
  | { type: 'tool-result'; toolCallId: string; toolName: string; result: NonNullable<Json>; isError: boolean; dynamic: true }

export type SdkContent = { type: 'text'; text: string } | { type: 'reasoning'; text: string } | SdkToolPart

export type SdkPart =
  | { type: 'stream-start'; warnings: SdkWarning[] }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string }
  | SdkToolPart
  | { type: 'finish'; usage: SdkUsage; finishReason: SdkFinish }
  | { type: 'error'; error: unknown }

export interface SdkLanguageModel {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
  readonly supportedUrls: Record<string, RegExp[]>
  doGenerate(call: SdkCall): Promise<{ content: SdkContent[]; finishReason: SdkFinish; usage: SdkUsage; warnings: SdkWarning[] }>
  doStream(call: SdkCall): Promise<{ stream: ReadableStream<SdkPart> }>
}

export interface SdkEmbeddingModel {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: true
  doEmbed(call: { values: string[]; abortSignal?: AbortSignal | undefined }): Promise<{ embeddings: number[][]; warnings: SdkWarning[] }>
}

/** As JSON would carry it; what JSON cannot say becomes text. */
export function jsonOf(value: unknown): NonNullable<Json> {
  const text = JSON.stringify(value)
  return text === undefined ? String(value) : ((JSON.parse(text) as Json) ?? '')
}
