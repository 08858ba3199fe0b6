/** What a small library lends. */
export interface Item {
  readonly id: string
  readonly title: string
  readonly text: string
}

const LINES: readonly (readonly [string, string, string])[] = [
  ['sourdough', 'Bread from Nothing', 'How to bake sourdough bread at home: flour, water, salt, a starter and a hot oven.'],
  ['pasta', 'Pasta by Hand', 'Cooking fresh pasta at home: dough from flour and eggs, sauces and recipes.'],
  ['cakes', 'Cakes for Sundays', 'Recipes for baking simple cakes at home: sugar, butter, eggs, and an oven.'],
  ['soups', 'Fifty Soups', 'Recipes for cooking soups from vegetables, beans and broth in one pot.'],
  ['spices', 'The Spice Drawer', 'Cooking with spices: recipes for curries and sauces, and how to roast and grind.'],
  ['tomatoes', 'Tomatoes on a Balcony', 'Growing tomatoes in pots: seeds, soil, water, sun and pests in a small garden.'],
  ['roses', 'Roses Without Fear', 'How to plant, prune and water roses in a garden, and keep pests from the leaves.'],
  ['compost', 'Good Soil', 'Making compost for the garden: leaves, worms and healthy soil for growing vegetables.'],
  ['herbs', 'A Windowsill of Herbs', 'Growing basil, mint and thyme from seeds in pots of soil on a windowsill garden.'],
  ['bees', 'Bees in the Orchard', 'Keeping bees in a garden with fruit trees and flowers.'],
  ['python', 'Python for Evenings', 'Learn programming in Python: functions, lists, files and small programs.'],
  ['algorithms', 'Algorithms, Drawn', 'Sorting, searching and graph algorithms for programming, explained with pictures and code.'],
  ['databases', 'Tables and Trees', 'How databases store data: tables, indexes, queries and transactions for programmers.'],
  ['networks', 'Packets', 'How computer networks and the internet work: protocols, servers, packets and code for programmers.'],
  ['debugging', 'Why It Broke', 'Finding bugs in computer programs: logs, tests, debuggers and reading code.'],
  ['stars', 'The Sky Tonight', 'Finding planets, stars and constellations in the night sky with a small telescope.'],
  ['mars', 'Red Dust', 'The planet Mars: rockets, rovers and the search for water in space.'],
  ['moon', 'Twelve on the Moon', 'The story of the rockets and astronauts that flew through space to the Moon.'],
  ['comets', 'Ice and Fire', 'Comets and asteroids that orbit the Sun, and the telescopes and space probes that visited them.'],
  ['black-holes', 'No Way Out', 'Black holes, galaxies and stars in deep space, explained without equations.'],
]
export const items: readonly Item[] = LINES.map(([id, title, text]) => ({ id, title, text }))
