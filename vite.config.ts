/// <reference types="vitest/config" />
import { createHash } from 'node:crypto';
import { cp } from 'node:fs/promises';
import { existsSync, statSync, createReadStream } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { kernelsFile, type KernelProgram } from './src/cli/kernels.ts';

const rootFolder = import.meta.dirname;
const modelsFolder = join(rootFolder, 'models');

/**
 * The two `<style>` elements that react-aria adds by itself (touch handling, scroll lock on iOS), allowed by their hash so
 * that no other inline style is. If an update of react-aria changes them, the browser tests report a violation.
 */
const reactAriaStyles = [
  '@layer {\n  [data-react-aria-pressable] {\n    touch-action: pan-x pan-y pinch-zoom;\n  }\n}',
  '@layer {\n  * {\n    overscroll-behavior: contain;\n  }\n}',
].map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);

const contentSecurityPolicy: Record<string, readonly string[]> = {
  'default-src': ["'self'"],
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'style-src': ["'self'", ...reactAriaStyles],
  'img-src': ["'self'", 'blob:', 'data:'],
  // A video that a person opens is played from an object URL.
  'media-src': ["'self'", 'blob:'],
  'connect-src': ["'self'", 'https://raw.githubusercontent.com', 'blob:'],
  'worker-src': ["'self'"],
  'object-src': ["'none'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
  'form-action': ["'none'"],
};

/** Vite's development server injects inline scripts and styles and talks to the page through a web socket. */
const developmentContentSecurityPolicy: Record<string, readonly string[]> = {
  ...contentSecurityPolicy,
  'script-src': ["'self'", "'wasm-unsafe-eval'", "'unsafe-inline'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'connect-src': [...(contentSecurityPolicy['connect-src'] ?? []), 'ws:'],
};

/** Without these a page may not share memory between threads. */
const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

function headersWith(policy: Record<string, readonly string[]>): Record<string, string> {
  return {
    'Content-Security-Policy': Object.entries(policy)
      .map(([directive, sources]) => [directive, ...sources].join(' '))
      .join('; '),
    ...isolationHeaders,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  };
}

const siteHeaders = headersWith(contentSecurityPolicy);

/** Writes the headers as `_headers`, which static hosts (Netlify, Cloudflare Pages) read. */
function headersFile(): Plugin {
  return {
    name: 'headers-file',
    apply: 'build',
    generateBundle() {
      const lines = Object.entries(siteHeaders).map(([name, value]) => `  ${name}: ${value}`);
      const source = [
        '/*',
        ...lines,
        '/assets/*',
        '  Cache-Control: public, max-age=31536000, immutable',
        '',
      ].join('\n');
      this.emitFile({ type: 'asset', fileName: '_headers', source });
    },
  };
}

const isolationFile = 'isolation.js';

/**
 * A part of the service worker: gives what it answers the headers that some static hosts cannot, documents and workers above all. On such a
 * host the first visit runs on one thread, and the next ones, which the service worker answers, on several; nothing is reloaded for it.
 */
function isolation(): Plugin {
  const source = `const isolationHeaders = ${JSON.stringify(isolationHeaders)};
const isolated = (response) => {
  // What comes from elsewhere without being readable cannot be copied, and needs none.
  if (!response || response.type === 'opaque' || response.type === 'opaqueredirect' || response.type === 'error') return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(isolationHeaders)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
};
const { respondWith } = FetchEvent.prototype;
FetchEvent.prototype.respondWith = function (response) {
  respondWith.call(this, Promise.resolve(response).then(isolated));
};
`;
  return {
    name: 'isolation',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: isolationFile, source });
    },
  };
}

/** Serves `models/` at `/models/`: from the folder itself while developing, copied into the built site. */
function models(): Plugin {
  let outputFolder = '';
  return {
    name: 'models',
    configResolved(config) {
      outputFolder = resolve(config.root, config.build.outDir);
    },
    configureServer(server) {
      server.middlewares.use('/models', (request, response) => {
        const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
        const file = join(modelsFolder, path);
        if (!file.startsWith(modelsFolder + sep) || !existsSync(file) || !statSync(file).isFile()) {
          // Without this, Vite would answer a missing model with the page itself.
          response.writeHead(404).end();
          return;
        }
        response.writeHead(200, {
          ...headersWith(developmentContentSecurityPolicy),
          'Content-Type': file.endsWith('.json') ? 'application/json' : 'application/octet-stream',
          'Content-Length': statSync(file).size,
        });
        createReadStream(file).pipe(response);
      });
    },
    async writeBundle() {
      if (existsSync(modelsFolder)) await cp(modelsFolder, join(outputFolder, 'models'), { recursive: true });
    },
  };
}

/** Compiles the kernels of the CPU engine where `event/kernelsFile.ts` asks for their addresses. */
function kernels(): Plugin {
  const programs: Record<string, KernelProgram> = {
    './kernels.wasm?url': 'index',
    './threadedKernels.wasm?url': 'threads',
    './relaxedKernels.wasm?url': 'relaxed',
    './relaxedThreadedKernels.wasm?url': 'relaxedThreads',
    './trainingKernels.wasm?url': 'training',
  };
  return {
    name: 'kernels',
    enforce: 'pre',
    async resolveId(source) {
      const program = programs[source];
      return program && `${await kernelsFile(program)}?url`;
    },
  };
}

const megabyte = 1024 * 1024;

/** Offline use: the program is stored when it is first opened, a network's weights when they are first fetched. */
const serviceWorker = VitePWA({
  strategies: 'generateSW',
  registerType: 'autoUpdate',
  injectRegister: false,
  manifest: {
    name: 'EMS-YOLO Playground',
    short_name: 'EMS-YOLO',
    description: 'Watch a spiking neural network find objects: boxes, membranes and spikes, in your browser.',
    lang: 'en',
    start_url: '/',
    display: 'standalone',
    background_color: '#0e131b',
    theme_color: '#0e131b',
    icons: [
      { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' },
      { src: 'icon-192.png', sizes: '192x192', type: 'image/png', purpose: 'any' },
      { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'any' },
      { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
  workbox: {
    inlineWorkboxRuntime: true,
    importScripts: [isolationFile],
    sourcemap: false,
    globPatterns: [
      '**/*.{html,js,css,wasm,svg,png,webmanifest}',
      'gallery/*',
      'models/**/*.json',
      // The model that the page opens with is stored at once, so that the first visit is enough for offline use.
      'models/bccd/*.safetensors',
    ],
    // Weights are asked for with their hash; what is stored has a version of its own.
    ignoreURLParametersMatching: [/^[0-9a-f]{64}$/],
    // tfjs asks for the address of its multi-threaded program but, without blob workers, never fetches it.
    // What reads HDF5 and runs ONNX is large and rarely used: it is stored when it is first fetched.
    globIgnores: [isolationFile, '**/*-threaded-simd-*.wasm', '**/ort-wasm-*', '**/ort.*.js', '**/hdf5_util-*.js'],
    maximumFileSizeToCacheInBytes: 20 * megabyte,
    cleanupOutdatedCaches: true,
    // Or what is fetched during the first visit, another model or what reads HDF5, would not be there offline.
    clientsClaim: true,
    navigateFallback: 'index.html',
    navigateFallbackDenylist: [/^\/(models|training)\//],
    runtimeCaching: [
      {
        urlPattern: ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith('/assets/'),
        handler: 'CacheFirst',
        options: { cacheName: 'parts', cacheableResponse: { statuses: [200] }, expiration: { maxEntries: 64, purgeOnQuotaError: true } },
      },
      {
        urlPattern: ({ url, sameOrigin }) => sameOrigin && /^\/(models|training)\//.test(url.pathname),
        handler: 'CacheFirst',
        options: {
          cacheName: 'weights',
          cacheableResponse: { statuses: [200] },
          expiration: { maxEntries: 16, purgeOnQuotaError: true },
        },
      },
    ],
  },
});

const tfjsPackages = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-backend-webgpu'];

export default defineConfig({
  root: rootFolder,
  // One page whose state lives in the address's query and fragment: any other path is a mistake and gets a 404.
  appType: 'mpa',
  plugins: [react(), kernels(), models(), headersFile(), isolation(), ...(process.env['VITEST'] ? [] : [serviceWorker])],
  worker: { format: 'es', plugins: () => [kernels()] },
  optimizeDeps: { include: tfjsPackages },
  server: { headers: headersWith(developmentContentSecurityPolicy) },
  preview: { headers: siteHeaders },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The WASM binaries and icons must stay files: the policy above allows no `data:` address for them.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
  },
  test: {
    environment: 'node',
    include: ['src/**/*.test.{ts,tsx}', 'e2e/**/*.test.ts'],
    pool: 'forks',
    // By default one core is left free: of two, half.
    maxWorkers: '100%',
    // The longest takes half a minute with a core of its own, and shares two slow ones in CI.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    reporters: ['default'],
  },
});
