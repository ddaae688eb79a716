import type { BenchFile, BenchRow, ContestantName, OwnBackend } from '../../state/bench';

const backendWords: Record<string, string> = { event: 'event-driven CPU', wasm: 'WASM', webgpu: 'WebGPU', webgl: 'WebGL', cpu: 'native CPU', reference: 'plain JavaScript' };

/** "This program, event-driven CPU"; names that only a file knows stay as they are. */
export function engineTitle({ engine, backend, threads = 1 }: Pick<BenchRow, 'engine' | 'backend'> & { threads?: number }): string {
  return `${engine === 'this' ? 'This program' : engine}, ${backendWords[backend] ?? backend}${threads > 1 ? `, ${threads} threads` : ''}`;
}

export function contestantTitle(name: ContestantName): string {
  const [engine = '', backend = ''] = name.split(' ');
  const title = engineTitle({ engine, backend });
  return name === 'this wasm' ? `${title} (tfjs with own neurons)` : name.startsWith('tfjs') ? `Stock ${title}` : title;
}

export function ownBackendTitle(backend: OwnBackend): string {
  return contestantTitle(`this ${backend}`);
}

/** "bccd, 256 × 256, T = 4". */
export function caseTitle({ model, width, height, steps }: Pick<BenchRow, 'model' | 'width' | 'height' | 'steps'>): string {
  return `${model}, ${width} × ${height}, T = ${steps}`;
}

/** Where it was measured, in a few words. */
export function machineTitle({ cpu, cores, node, browser, gpu }: BenchFile['machine']): string {
  const program = /(?:Firefox|Edg|Chrome|Version)\/\d+/.exec(browser ?? '')?.[0].replace('/', ' ').replace('Edg', 'Edge').replace('Version', 'Safari') ?? browser?.slice(0, 40);
  return [cpu, `${cores} ${cores === 1 ? 'core' : 'cores'}`, node && `Node ${node}`, program, gpu].filter(Boolean).join(', ');
}
