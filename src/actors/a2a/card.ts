/** The card by which an agent is found. */
type AgentCard = import('@a2a-js/sdk').AgentCard

export interface Introduction {
  readonly name: string
  readonly description: string
  /** Default 1.0.0. */
  readonly version?: string
  /** What it is good at; one skill, its description, when left out. */
  readonly skills?: readonly { readonly id: string; readonly name: string; readonly description: string; readonly tags?: readonly string[]; readonly examples?: readonly string[] }[]
}

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
