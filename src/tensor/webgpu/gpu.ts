/// <reference lib="esnext.float16" />
import { AppError } from '../../base/errors';
import { throwIfCancelled, type Task } from '../../base/progress';
import type { LayerClock } from '../operations';
import type { KernelChoice } from './kernelChooser';
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

/** A command in the form in which it is submitted. */
interface Dispatch {
  layer: string;
  pipeline: GPUComputePipeline;
  bindings: GPUBindGroup;
  uniformOffset: number;
  workgroups: [number, number];
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
  /** What is read is copied here. */
  private staging: GPUBuffer | undefined;
  private watching = false;
  /** Why nothing can be read any more. */
  private failure: AppError | undefined;
  /** Those who wait for a read. */
  private readonly waiting = new Set<(failure: AppError) => void>();

  /** @param lost resolves with the reason when the device is gone @param clock hears how long each command took, where the device has timestamps */
  constructor(
    private readonly device: GPUDevice,
    lost: Promise<string>,
    private readonly chooser: KernelChoice,
    private readonly clock?: LayerClock,
  ) {
    void lost.then((reason) => {
      this.failure = new AppError('backend/lost', `The graphics device was lost: ${reason}.`, 'Open the engine again, or choose the CPU.');
      for (const fail of this.waiting) fail(this.failure);
    });
  }

  memory(): { tensors: number; bytes: number } {
    return { tensors: this.inUse.size, bytes: this.bytesInUse };
  }

  /** A buffer of at least so many bytes, with anything in it. */
  allocate(bytes: number): GPUBuffer {
    return this.take(bytes, () => true);
  }

  /** A buffer that holds the data when the commands recorded from now on run. */
  upload(data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float16Array<ArrayBuffer>): GPUBuffer {
    // Writing happens at once: a buffer that was released since the last read may still be needed by what is only recorded.
    const buffer = this.take(data.byteLength, (releasedAt) => this.commands.length === 0 || releasedAt < this.reads);
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
   * @throws AppError `backend/out-of-memory`, `backend/lost`, `cancelled`
   */
  read(sources: readonly { buffer: GPUBuffer; bytes: number }[], task: Task): Promise<ArrayBuffer[]> {
    return new Promise((resolve, reject) => {
      if (this.failure) {
        this.commands = [];
        reject(this.failure);
        return;
      }
      // What a lost device leaves undone may fail in any way, or never end.
      this.waiting.add(reject);
      void this.perform(sources, task)
        .then(resolve, reject)
        .finally(() => this.waiting.delete(reject));
    });
  }

  private async perform(sources: readonly { buffer: GPUBuffer; bytes: number }[], task: Task): Promise<ArrayBuffer[]> {
    const commands = this.commands;
    this.commands = [];
    this.reads++;
    try {
      this.writeUniforms(commands);
      const variants: (Variant | undefined)[] = [];
      for (const command of commands) variants.push(await this.chosen(command));
      await this.compile(commands.flatMap((command, index) => variants[index] ?? command.variants), task);
      const dispatches = variants.includes(undefined) ? await this.choose(commands, variants, task) : await this.dispatchesOf(commands, variants);
      const result = await this.run(dispatches, sources);
      await this.checkErrors();
      return result;
    } finally {
      this.dropIdle();
    }
  }

  /** All that is not compiled yet, side by side. */
  private async compile(variants: readonly Variant[], task: Task): Promise<void> {
    const wanted = new Map(variants.flatMap(({ program }) => (this.pipelines.has(program.key) ? [] : [[program.key, program]])));
    let done = 0;
    await Promise.all(
      Array.from(wanted.values(), async (program) => {
        await this.pipeline(program);
        throwIfCancelled(task.signal);
        task.report({ label: 'Compiling the network', done: ++done, total: wanted.size, unit: 'items' });
      }),
    );
  }

  /**
   * Makes the choices that have not been made, measured where they will be used: on this frame's values, which the commands before have
   * to make first.
   * @returns no dispatches, since the commands ran on the way: they cannot run twice, as buffers are used again among them
   */
  private async choose(commands: readonly Command[], variants: readonly (Variant | undefined)[], task: Task): Promise<Dispatch[]> {
    const open = new Set(commands.flatMap(({ shape }, index) => (variants[index] ? [] : [shape])));
    const total = open.size;
    for (const [index, command] of commands.entries()) {
      throwIfCancelled(task.signal);
      const runAlone = async (variant: Variant, times: number): Promise<void> => {
        await this.runAlone(await this.dispatchOf(command, variant, index), times);
      };
      if (!variants[index] && open.delete(command.shape)) {
        await this.chooser.choose(
          command.shape,
          command.variants.map((variant) => ({ name: variant.name, run: (times) => runAlone(variant, times) })),
        );
        task.report({ label: 'Choosing kernels', done: total - open.size, total, unit: 'items' });
      }
      await runAlone(variants[index] ?? (await this.chosen(command)) ?? command.variants[0], 1);
    }
    return [];
  }

  private async chosen({ variants, shape }: Command): Promise<Variant | undefined> {
    if (variants.length === 1) return variants[0];
    const name = await this.chooser.remembered(shape, variants.map((variant) => variant.name));
    return variants.find((variant) => variant.name === name);
  }

  private dispatchesOf(commands: readonly Command[], variants: readonly (Variant | undefined)[]): Promise<Dispatch[]> {
    return Promise.all(commands.map((command, index) => this.dispatchOf(command, variants[index] ?? command.variants[0], index)));
  }

  private async dispatchOf({ layer, buffers, uniforms }: Command, { program, threads }: Variant, index: number): Promise<Dispatch> {
    const entries = [
      { binding: 0, resource: { buffer: this.uniformBuffer as GPUBuffer, size: uniformBytes(uniforms.length) } },
      ...buffers.map((buffer, binding) => ({ binding: binding + 1, resource: { buffer } })),
    ];
    return {
      layer,
      pipeline: await this.pipeline(program),
      bindings: this.device.createBindGroup({ layout: this.layout(program), entries }),
      uniformOffset: index * uniformStride,
      workgroups: workgroupsFor(threads),
    };
  }

  private async runAlone(dispatch: Dispatch, times: number): Promise<void> {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let time = 0; time < times; time++) encode(pass, dispatch);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    await this.device.queue.onSubmittedWorkDone();
  }

  private async run(dispatches: readonly Dispatch[], sources: readonly { buffer: GPUBuffer; bytes: number }[]): Promise<ArrayBuffer[]> {
    const encoder = this.device.createCommandEncoder();
    const timed = this.clock !== undefined && dispatches.length > 0 && this.device.features.has('timestamp-query');
    const timestamps = timed ? this.timestamps(dispatches.length) : undefined;
    const shared = timestamps ? undefined : encoder.beginComputePass();
    for (const [index, dispatch] of dispatches.entries()) {
      const pass = shared ?? encoder.beginComputePass(timestamps?.passOf(index));
      encode(pass, dispatch);
      if (!shared) pass.end();
    }
    shared?.end();
    const total = sources.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = this.takeStaging(total);
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
    staging.unmap();
    this.staging = staging;
    for (const [index, durationMs] of (await timestamps?.durations())?.entries() ?? []) {
      this.clock?.(dispatches[index]?.layer ?? '', durationMs);
    }
    return results;
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
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: uniformBytes(uniforms.length) },
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

  /** A released buffer of the size, one that fits, or else a new one. */
  private take(bytes: number, fits: (releasedAt: number) => boolean): GPUBuffer {
    const size = roundedSize(bytes);
    const index = this.free.findIndex(({ buffer, releasedAt }) => buffer.size === size && fits(releasedAt));
    const [found] = index < 0 ? [] : this.free.splice(index, 1);
    const buffer = found?.buffer ?? this.create(size);
    this.inUse.add(buffer);
    this.bytesInUse += buffer.size;
    return buffer;
  }

  /** The one of the last read, where it has the size. */
  private takeStaging(bytes: number): GPUBuffer {
    const size = roundedSize(bytes);
    const { staging } = this;
    this.staging = undefined;
    if (staging?.size === size) return staging;
    staging?.destroy();
    return this.device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  }

  private create(size: number): GPUBuffer {
    if (!this.watching) {
      this.watching = true;
      this.device.pushErrorScope('out-of-memory');
    }
    return this.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
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

function encode(pass: GPUComputePassEncoder, { pipeline, bindings, uniformOffset, workgroups }: Dispatch): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings, [uniformOffset]);
  pass.dispatchWorkgroups(...workgroups);
}

function uniformBytes(fields: number): number {
  return Math.max(Math.ceil(fields / 4) * 16, 16);
}

/** The next of eight sizes between each power of two and the next. */
function roundedSize(bytes: number): number {
  const step = Math.max(256, 2 ** Math.floor(Math.log2(Math.max(bytes, 1))) / sizeSteps);
  return Math.ceil(Math.max(bytes, 1) / step) * step;
}
