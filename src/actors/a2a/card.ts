/** The card by which an agent is found. */
import type { Introduction } from './served.js'

type AgentCard = import('@a2a-js/sdk').AgentCard

const TEXT = 'text/plain'
const JSON_TYPE = 'application/json'

export function cardOf({ name, description, version = '1.0.0', skills }: Introduction, url: string): AgentCard {
  const listed = skills ?? [{ id: 'answer', name, description }]
  return {
    name,
    description,
    version,
    provider: undefined,
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: false, extensions: [] },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: [TEXT],
    defaultOutputModes: [TEXT, JSON_TYPE],
    skills: listed.map((skill) => ({ ...skill, tags: [...(skill.tags ?? [])], examples: [...(skill.examples ?? [])], inputModes: [], outputModes: [], securityRequirements: [] })),
    signatures: [],
  }
}
