/** What an actor needs that reaches models: the default host, loaded when the first one starts to use it. */
export const needs = { kernels: () => import('../models/index.js') } as const
