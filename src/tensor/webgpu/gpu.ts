import { AppError } from '../../base/errors';
import { throwIfCancelled, type Task } from '../../base/progress';
import type { LayerClock } from '../operations';
import type { KernelChooser } from './kernelChooser';
import { moduleCode, workgroupsFor, type Program } from './program';

/** One way to run a command. */
export interface Variant {
  name: string;
  program: Program;
  threads: number;
}

/** Work that waits for the next read. */
export interface Command {
  /** What a clock calls it. */
  layer: string;
  /** Ways that compute the same, of which one is chosen by measuring; all have the same bindings. */
  variants: readonly [Variant, ...Variant[]];
  /** What the choice depends on; commands of one variant need none. */
  shape: string;
  /** In the order of the program's storage. */
  buffers: readonly GPUBuffer[];
  /** In the order of the program's uniforms. */
  uniforms: readonly number[];
}

/** Uniforms of a dispatch begin at multiples of this, as every device allows. */
const uniformStride = 256;
/** Buffers of the pool that nobody wanted for so many reads are given back. */
const idleReads = 2;
/** Sizes are rounded up so far that buffers fit again when a size changes a little. */
const sizeSteps = 8;
/** A set of timestamps holds at most this many. */
const maximumTimestamps = 4096;

/**
 * A WebGPU device with what every program needs: buffers that are used again, compiled programs, and a list of commands that is
 * submitted at once when somebody reads.
 */
export class Gpu {
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly inUse = new Set<GPUBuffer>();
  private readonly free: { buffer: GPUBuffer; releasedAt: number }[] = [];
  private commands: Command[] = [];
  private reads = 0;
  private bytesInUse = 0;
  private uniformBuffer: GPUBuffer | undefined;
  private watching = false;

  /** @param clock hears how long each command took, where the device has timestamps */
  constructor(
    private readonly device: GPUDevice,
    private readonly chooser: KernelChooser,
    private readonly clock?: LayerClock,
  ) {}

  memory(): { tensors: number; bytes: number } {
    return { tensors: this.inUse.size, bytes: this.bytesInUse };
  }

  /** A buffer of at least so many bytes, with anything in it. */
  allocate(bytes: number): GPUBuffer {
    const size = roundedSize(bytes);
    const index = this.free.findIndex(({ buffer }) => buffer.size === size);
    const [found] = index < 0 ? [] : this.free.splice(index, 1);
    return this.taken(found?.buffer ?? this.create(size));
  }

  /** A buffer that holds the data when the commands recorded from now on run. */
  upload(data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
    // Writing happens at once: a buffer that was used before may still be needed by what is only recorded.
    const buffer = this.commands.length === 0 ? this.allocate(data.byteLength) : this.taken(this.create(roundedSize(data.byteLength)));
    this.device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  release(buffer: GPUBuffer): void {
    this.inUse.delete(buffer);
    this.bytesInUse -= buffer.size;
    this.free.push({ buffer, releasedAt: this.reads });
  }

  record(command: Command): void {
    this.commands.push(command);
  }

  /**
   * Runs everything that was recorded, in one submission once all choices are made, and brings back the contents of buffers.
   * @throws AppError `backend/out-of-memory`, `cancelled`
   */
  async read(sources: readonly { buffer: GPUBuffer; bytes: number }[], task: Task): Promise<ArrayBuffer[]> {
    const commands = this.commands;
    this.commands = [];
    this.reads++;
    try {
      this.writeUniforms(commands);
      const ran = await this.prepare(commands, task);
      const result = await this.run(ran ? [] : commands, sources);
      await this.checkErrors();
      return result;
    } finally {
      this.dropIdle();
    }
  }

  /**
   * Compiles what is needed, side by side, and makes the choices that have not been made.
   * @returns whether the commands ran on the way: they cannot run twice, since buffers are used again among them
   */
  private async prepare(commands: readonly Command[], task: Task): Promise<boolean> {
    const open = new Map<string, Command>();
    const programs = new Map<string, Program>();
    for (const command of commands) {
      const variant = await this.chosen(command);
      if (!variant) open.set(command.shape, command);
      for (const { program } of variant ? [variant] : command.variants) programs.set(program.key, program);
    }
    let compiled = 0;
    await Promise.all(
      Array.from(programs.values(), async (program) => {
        if (!this.pipelines.has(program.key)) {
          await this.pipeline(program);
          throwIfCancelled(task.signal);
        }
        task.report({ label: 'Compiling the network', done: ++compiled, total: programs.size, unit: 'items' });
      }),
    );
    if (open.size === 0) return false;
    // Measured where it will be used: on this frame's values, which the commands before have to make first.
    let chosen = 0;
    for (const [index, command] of commands.entries()) {
      throwIfCancelled(task.signal);
      if (open.get(command.shape) === command) {
        await this.chooser.choose(
          command.shape,
          command.variants.map((variant) => ({ name: variant.name, run: () => this.runAlone(command, variant, index) })),
        );
        task.report({ label: 'Choosing kernels', done: ++chosen, total: open.size, unit: 'items' });
      }
      const variant = await this.chosen(command);
      await this.runAlone(command, variant ?? command.variants[0], index);
    }
    return true;
  }

  private async chosen({ variants, shape }: Command): Promise<Variant | undefined> {
    if (variants.length === 1) return variants[0];
    const name = await this.chooser.remembered(shape, variants.map((variant) => variant.name));
    return variants.find((variant) => variant.name === name);
  }

  private async runAlone(command: Command, variant: Variant, index: number): Promise<void> {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    await this.dispatch(pass, command, variant, index);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    await this.device.queue.onSubmittedWorkDone();
  }

  private async run(commands: readonly Command[], sources: readonly { buffer: GPUBuffer; bytes: number }[]): Promise<ArrayBuffer[]> {
    const encoder = this.device.createCommandEncoder();
    const timestamps = this.clock && commands.length > 0 && this.device.features.has('timestamp-query') ? this.timestamps(commands.length) : undefined;
    const shared = timestamps ? undefined : encoder.beginComputePass();
    for (const [index, command] of commands.entries()) {
      const variant = (await this.chosen(command)) ?? command.variants[0];
      const pass = shared ?? encoder.beginComputePass(timestamps?.passOf(index));
      await this.dispatch(pass, command, variant, index);
      if (!shared) pass.end();
    }
    shared?.end();
    const total = sources.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = this.device.createBuffer({ size: Math.max(total, 4), usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    let offset = 0;
    for (const { buffer, bytes } of sources) {
      encoder.copyBufferToBuffer(buffer, 0, staging, offset, bytes);
      offset += bytes;
    }
    timestamps?.resolve(encoder);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const mapped = staging.getMappedRange();
    offset = 0;
    const results = sources.map(({ bytes }) => mapped.slice(offset, (offset += bytes)));
    staging.destroy();
    for (const [index, durationMs] of (await timestamps?.durations())?.entries() ?? []) {
      this.clock?.(commands[index]?.layer ?? '', durationMs);
    }
    return results;
  }

  private async dispatch(pass: GPUComputePassEncoder, { buffers, uniforms }: Command, { program, threads }: Variant, index: number): Promise<void> {
    pass.setPipeline(await this.pipeline(program));
    pass.setBindGroup(
      0,
      this.device.createBindGroup({
        layout: this.layout(program),
        entries: [
          { binding: 0, resource: { buffer: this.uniformBuffer as GPUBuffer, size: Math.max(uniforms.length * 4, 16) } },
          ...buffers.map((buffer, binding) => ({ binding: binding + 1, resource: { buffer } })),
        ],
      }),
      [index * uniformStride],
    );
    pass.dispatchWorkgroups(...workgroupsFor(threads));
  }

  private pipeline(program: Program): Promise<GPUComputePipeline> {
    const known = this.pipelines.get(program.key);
    if (known) return known;
    const module = this.device.createShaderModule({ label: program.key, code: moduleCode(program) });
    const layout = this.device.createPipelineLayout({ bindGroupLayouts: [this.layout(program)] });
    const pipeline = this.device.createComputePipelineAsync({ label: program.key, layout, compute: { module, entryPoint: 'main' } });
    this.pipelines.set(program.key, pipeline);
    return pipeline;
  }

  private layout({ storage, uniforms }: Program): GPUBindGroupLayout {
    const key = `${uniforms.length} ${storage.map(({ access }) => access).join()}`;
    const known = this.layouts.get(key);
    if (known) return known;
    const layout = this.device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: Math.max(uniforms.length * 4, 16) },
        },
        ...storage.map(({ access }, index): GPUBindGroupLayoutEntry => ({
          binding: index + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
        })),
      ],
    });
    this.layouts.set(key, layout);
    return layout;
  }

  private writeUniforms(commands: readonly Command[]): void {
    const size = Math.max(commands.length, 1) * uniformStride;
    if (!this.uniformBuffer || this.uniformBuffer.size < size) {
      this.uniformBuffer?.destroy();
      this.uniformBuffer = this.device.createBuffer({ size: roundedSize(size), usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    }
    const bytes = new DataView(new ArrayBuffer(size));
    commands.forEach(({ variants, uniforms }, index) => {
      variants[0].program.uniforms.forEach(({ type }, field) => {
        const at = index * uniformStride + field * 4;
        if (type === 'i32') bytes.setInt32(at, uniforms[field] ?? 0, true);
        else bytes.setFloat32(at, uniforms[field] ?? 0, true);
      });
    });
    this.device.queue.writeBuffer(this.uniformBuffer, 0, bytes.buffer);
  }

  /** A pair of timestamps around each command. */
  private timestamps(commands: number): {
    passOf(index: number): GPUComputePassDescriptor;
    resolve(encoder: GPUCommandEncoder): void;
    durations(): Promise<number[]>;
  } {
    const count = Math.min(commands * 2, maximumTimestamps);
    const querySet = this.device.createQuerySet({ type: 'timestamp', count });
    const resolved = this.device.createBuffer({ size: count * 8, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = this.device.createBuffer({ size: count * 8, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    return {
      passOf: (index) =>
        index * 2 + 1 < count
          ? { timestampWrites: { querySet, beginningOfPassWriteIndex: index * 2, endOfPassWriteIndex: index * 2 + 1 } }
          : {},
      resolve: (encoder) => {
        encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
        encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
      },
      durations: async () => {
        await staging.mapAsync(GPUMapMode.READ);
        const times = new BigUint64Array(staging.getMappedRange());
        const durations = Array.from({ length: count / 2 }, (_, index) => Number((times[index * 2 + 1] ?? 0n) - (times[index * 2] ?? 0n)) / 1e6);
        for (const resource of [staging, resolved, querySet]) resource.destroy();
        return durations;
      },
    };
  }

  private create(size: number): GPUBuffer {
    if (!this.watching) {
      this.watching = true;
      this.device.pushErrorScope('out-of-memory');
    }
    return this.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  }

  private taken(buffer: GPUBuffer): GPUBuffer {
    this.inUse.add(buffer);
    this.bytesInUse += buffer.size;
    return buffer;
  }

  private async checkErrors(): Promise<void> {
    if (!this.watching) return;
    this.watching = false;
    const cause = await this.device.popErrorScope();
    if (!cause) return;
    throw new AppError(
      'backend/out-of-memory',
      'There is no memory left on the graphics card for the network on this picture.',
      'Choose a smaller input size or fewer steps, or the CPU backend.',
      cause,
    );
  }

  private dropIdle(): void {
    for (let index = this.free.length - 1; index >= 0; index--) {
      const entry = this.free[index];
      if (!entry || this.reads - entry.releasedAt <= idleReads) continue;
      entry.buffer.destroy();
      this.free.splice(index, 1);
    }
  }
}

/** The next of eight sizes between each power of two and the next. */
function roundedSize(bytes: number): number {
  const step = Math.max(256, 2 ** Math.floor(Math.log2(Math.max(bytes, 1))) / sizeSteps);
  return Math.ceil(Math.max(bytes, 1) / step) * step;
}
