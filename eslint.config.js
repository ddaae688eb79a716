import eslint from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import typescript from 'typescript-eslint';

/** Which rooms of `src/` a room may import, besides itself. `src/README.md` says what each room is for. */
const dataRooms = {
  base: [],
  tensor: ['base'],
  checkpoint: ['base'],
  network: ['base', 'tensor', 'checkpoint'],
  detect: ['base', 'tensor'],
  input: ['base'],
  energy: ['base'],
  evaluate: ['base', 'detect'],
  train: ['base', 'tensor', 'checkpoint', 'network', 'detect', 'evaluate'],
};
const roomsBelowEngine = Object.keys(dataRooms);
const rooms = {
  ...dataRooms,
  engine: roomsBelowEngine,
  cli: [...roomsBelowEngine, 'engine'],
  // And the engine's protocols, see below.
  client: ['base'],
  state: ['base', 'client'],
  commands: ['base', 'state'],
  charts: ['base'],
  ui: ['base'],
  features: ['ui', 'charts', 'state', 'commands', 'base'],
  app: ['features', 'ui', 'state', 'commands'],
};

/** Packages that only some rooms may import; every other package is free. */
const guardedPackages = [
  { sources: ['@tensorflow/*'], rooms: ['tensor'] },
  { sources: ['react', 'react-dom', 'react-aria-components'], rooms: ['charts', 'ui', 'features', 'app'] },
  { sources: ['zustand'], rooms: ['state', 'commands'] },
  { sources: ['vite', 'sharp'], rooms: ['cli'] },
];

const protocol = { element: { type: 'engine' }, file: { categories: 'protocol' } };
const roomMessage = (room, allowed) =>
  `The room \`${room}\` may import only ${allowed.length === 0 ? 'itself' : allowed.join(', ')}, not {{ to.element.type }}.`;

/** Later policies win over earlier ones. */
const importPolicies = [
  // Packages, and Node's own modules where the program never reaches a browser.
  { allow: { to: { module: { origin: 'external' } } } },
  {
    disallow: { to: { module: { origin: 'core' } } },
    message: "Only `cli` and tests may import Node's modules: everything else runs in a browser too.",
  },
  { from: { element: { type: 'cli' } }, allow: { to: { module: { origin: 'core' } } } },
  ...guardedPackages.map(({ sources, rooms: allowed }) => ({
    from: { element: { types: { noneOf: allowed } } },
    disallow: { to: { module: { origin: 'external', source: sources } } },
    message: `Only ${allowed.join(', ')} may import {{ to.module.source }}.`,
  })),
  {
    from: { file: { categories: 'test' } },
    allow: [{ to: { module: { origin: 'core' } } }, { to: { module: { origin: 'external', source: 'sharp' } } }],
  },

  // Rooms.
  ...Object.entries(rooms).map(([room, allowed]) => ({
    from: { element: { type: room } },
    disallow: { to: { element: { types: { noneOf: allowed } }, module: { origin: 'local' } } },
    allow: { to: { element: { types: { anyOf: allowed } }, module: { origin: 'local' } } },
    message: roomMessage(room, allowed),
  })),
  { allow: { dependency: { relationship: { to: 'internal' } } } },
  // The resolver does not find a file behind `./file?url`, but in its own folder an import stays in its room.
  // (The group keeps the matcher from taking `./` off the pattern but not off the address.)
  { allow: { dependency: { source: '@(./*[?]*)' } } },
  { from: { element: { type: 'client' } }, allow: { to: protocol } },

  // The protocols are what the page loads of the engine: other rooms may lend them types, never code.
  {
    from: protocol,
    disallow: [
      { to: { element: { types: { noneOf: ['base'] } }, module: { origin: 'local' } }, dependency: { kind: '!type' } },
      { to: { element: { type: 'engine' } } },
    ],
    message: 'A protocol may import `base`, other protocols, and only types from the rooms below the engine.',
  },
  { from: protocol, allow: { to: protocol } },
  { from: { file: { categories: 'test' } }, allow: { to: { element: { type: 'e2e' } } } },
  { disallow: { to: { file: { categories: 'test' } } }, message: 'A test is not for importing.' },
];

export default defineConfig(
  // The kernels are AssemblyScript, whose own compiler checks them.
  globalIgnores(['dist/', 'test-results/', 'playwright-report/', 'models/', 'public/', 'src/tensor/event/kernels/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  typescript.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // The compiler finds these, and knows the browser's and the worker's names.
      'no-undef': 'off',
      '@typescript-eslint/no-unused-vars': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/base/schema.ts'],
    rules: {
      'no-restricted-imports': ['error', { name: 'zod', message: 'Take `z` from base/schema.ts, which sets it up for the content security policy.' }],
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly' } } },
  { files: ['src/cli/**', 'e2e/**'], rules: { 'no-console': 'off' } },
  { files: ['src/**/*.tsx'], extends: [reactHooks.configs.flat.recommended] },
  {
    files: ['src/**/*.{ts,tsx}'],
    plugins: { boundaries },
    settings: {
      'import/resolver': { node: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'] } },
      'boundaries/root-path': import.meta.dirname,
      'boundaries/legacy-templates': false,
      'boundaries/dependency-nodes': ['import', 'dynamic-import', 'export', 'require'],
      'boundaries/additional-dependency-nodes': [
        { selector: 'TSImportType > Literal', kind: 'type', name: 'type-query' },
      ],
      'boundaries/elements': [
        ...Object.keys(rooms).map((room) => ({
          type: room,
          // Every feature is an element of its own, so that one importing another does not count as internal.
          pattern: room === 'features' ? 'src/features/*' : `src/${room}`,
          partialMatch: false,
        })),
        // Helpers that tests share lie there.
        { type: 'e2e', pattern: 'e2e', partialMatch: false },
      ],
      'boundaries/files': [
        { category: 'test', pattern: 'src/**/*.test.{ts,tsx}' },
        { category: 'protocol', pattern: 'src/engine/*rotocol.ts' },
      ],
    },
    rules: {
      'boundaries/no-unknown-files': 'error',
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          message: 'There is no such file, or it belongs to no room.',
          checkAllOrigins: true,
          checkUnknownLocals: true,
          checkInternals: true,
          policies: importPolicies,
        },
      ],
    },
  },
);
