/** A type that a storage buffer is an array of. */
export type ElementType = 'vec4f' | 'vec4h' | 'f32' | 'u32';

export interface StorageBinding {
  name: string;
  type: ElementType;
  access: 'read' | 'read_write';
}

export interface UniformField {
  name: string;
  type: 'i32' | 'f32';
}

/** What a program uses beyond what every device has. */
export type Extension = 'f16' | 'subgroups';

/** A compute program; equal keys are equal programs. */
export interface Program {
  key: string;
  extensions?: readonly Extension[];
  storage: readonly StorageBinding[];
  uniforms: readonly UniformField[];
  /** WGSL at module level: functions, constants, workgroup memory. */
  declarations: string;
  /**
   * WGSL of the entry point; `id` is the thread's number over all workgroups, `lane` its number within its own; with subgroups also
   * `subgroupLane` and `subgroupSize`.
   */
  body: string;
}

/** Threads of a workgroup, in every program. */
export const workgroupThreads = 64;

/** The whole module. Uniforms come first, then the storage buffers in their order. */
export function moduleCode({ extensions = [], storage, uniforms, declarations, body }: Program): string {
  const bindings = storage.map(({ name, type, access }, index) => `@group(0) @binding(${index + 1}) var<storage, ${access}> ${name} : array<${type}>;`);
  return `
${extensions.map((extension) => `enable ${extension};`).join(' ')}
struct Uniforms { ${uniforms.map(({ name, type }) => `${name} : ${type},`).join(' ')} }
@group(0) @binding(0) var<uniform> uniforms : Uniforms;
${bindings.join('\n')}
${declarations}
@compute @workgroup_size(${workgroupThreads})
fn main(
  @builtin(workgroup_id) workgroup : vec3u,
  @builtin(num_workgroups) workgroups : vec3u,
  @builtin(local_invocation_index) lane : u32,
  ${extensions.includes('subgroups') ? '@builtin(subgroup_invocation_id) subgroupLane : u32, @builtin(subgroup_size) subgroupSize : u32,' : ''}
) {
  let id = i32((workgroup.y * workgroups.x + workgroup.x) * ${workgroupThreads}u + lane);
  ${body}
}
`;
}

/** A device takes at most this many workgroups along one side. */
const maximumWorkgroupsPerSide = 65535;

/** Workgroups in a line while they fit, else in a rectangle; the surplus finds its number out of range. */
export function workgroupsFor(threads: number): [number, number] {
  const workgroups = Math.ceil(threads / workgroupThreads);
  if (workgroups <= maximumWorkgroupsPerSide) return [workgroups, 1];
  const side = Math.ceil(Math.sqrt(workgroups));
  return [side, Math.ceil(workgroups / side)];
}

export const read = (name: string, type: ElementType = 'vec4f'): StorageBinding => ({ name, type, access: 'read' });
export const write = (name: string, type: ElementType = 'vec4f'): StorageBinding => ({ name, type, access: 'read_write' });
export const whole = (...names: string[]): UniformField[] => names.map((name) => ({ name, type: 'i32' }));
export const real = (...names: string[]): UniformField[] => names.map((name) => ({ name, type: 'f32' }));

/** Text repeated for 0..count-1. */
export function repeated(count: number, text: (index: number) => string, separator = '\n'): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(separator);
}
