import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { keepLoadedModels } from '../commands/models';
import { choosePage } from '../commands/pages';
import { addCommands } from '../commands/registry';
import { start } from '../commands/start';
import { pictureCommands } from '../features/export/pictureExport';
import { App } from './App';
import { ErrorBoundary } from './ErrorBoundary';
import { allPages } from './pages';
import './theme.css';
import '../ui/ui.css';
import './app.css';

addCommands(pictureCommands);
addCommands(() => allPages.map(({ name, title }) => ({ id: `page:${name}`, title: `Page: ${title}`, group: 'Page', run: () => choosePage(name) })));

const container = document.getElementById('root');
if (!container) throw new Error('The page has no element with the id root.');
createRoot(container).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);
void start().finally(() => {
  // It stores the whole site, which must not keep the first boxes waiting. Failing to install it costs only offline use.
  if (import.meta.env.PROD && 'serviceWorker' in navigator) void installServiceWorker(navigator.serviceWorker).catch(() => undefined);
});

async function installServiceWorker(container: ServiceWorkerContainer): Promise<void> {
  // The first visit's model was fetched before there was one.
  if (!container.controller) container.addEventListener('controllerchange', () => void keepLoadedModels().catch(() => undefined), { once: true });
  await container.register(`${import.meta.env.BASE_URL}sw.js`);
}
