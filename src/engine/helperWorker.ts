import { serve } from '../tensor/event/helper';
import type { HelperSetup } from '../tensor/event/team';

/** A thread that computes along (pageThreads.ts). */

self.addEventListener('message', ({ data }: MessageEvent<HelperSetup>) => serve(data, () => self.postMessage('ready')), { once: true });
