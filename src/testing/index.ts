/** What a test or a simulation script needs: time that moves when it is told to, and chance from a seed. */
export { virtualClock } from './virtual-clock.js'
export type { VirtualClock } from './virtual-clock.js'
export { simulate } from './simulate.js'
export type { SimulationOptions, SimulationReport } from './simulate.js'
export type { Simulation } from './simulation.js'
export type { Fault, Faults } from './faults.js'
