import { Suspense, lazy, useEffect, type ReactNode } from 'react';
import { startKeys } from '../commands/keys';
import { showDialog } from '../commands/view';
import { DetectionPanes } from '../features/detections/DetectionPanes';
import { RasterPanel, RatesPanel } from '../features/network/ActivityPanels';
import { Inspector } from '../features/network/Inspector';
import { NetworkPanel } from '../features/network/NetworkPanel';
import { EventSources } from '../features/recording/EventSources';
import { RecordingPanel } from '../features/recording/RecordingPanel';
import { RunSettingsPanel } from '../features/source/RunSettingsPanel';
import { SourcePanel } from '../features/source/SourcePanel';
import { Timeline } from '../features/timeline/Timeline';
import { Activities } from './Activities';
import { AppHeader } from './AppHeader';
import { DropTarget } from './DropTarget';
import { usePlayground, type PanelName } from '../state/store';
import { Messages } from './Messages';
import { pages } from './pages';

const HelpDialog = lazy(() => import('./HelpDialog'));
const CommandPalette = lazy(() => import('./CommandPalette'));
const ExplainPanel = lazy(() => import('../features/explain/ExplainPanel').then(({ ExplainPanel: panel }) => ({ default: panel })));
const DifferencePanel = lazy(() => import('../features/difference/DifferencePanel').then(({ DifferencePanel: panel }) => ({ default: panel })));
const HistogramPanel = lazy(() => import('../features/network/HistogramPanel').then(({ HistogramPanel: panel }) => ({ default: panel })));
const ComparePanel = lazy(() => import('../features/compare/ComparePanel').then(({ ComparePanel: panel }) => ({ default: panel })));
const EnergyPanel = lazy(() => import('../features/energy/EnergyPanel').then(({ EnergyPanel: panel }) => ({ default: panel })));

/** The shell: what stays while pages change. */
export function App() {
  const page = usePlayground((state) => state.view.page);
  const dialog = usePlayground((state) => state.view.dialog);
  useEffect(startKeys, []);
  const Page = pages.find(({ name }) => name === page)?.Page ?? DetectPage;
  return (
    <DropTarget>
      <AppHeader />
      <Activities />
      <Messages />
      <Suspense fallback={<p className="page-loading">Opening the page…</p>}>
        <Page />
      </Suspense>
      <Suspense>
        {dialog === 'help' && <HelpDialog onClose={() => showDialog(undefined)} />}
        {dialog === 'commands' && <CommandPalette onClose={() => showDialog(undefined)} />}
      </Suspense>
    </DropTarget>
  );
}

function DetectPage() {
  return (
    <>
      <main className="detect-page">
        <div className="detect-left">
          <Shown name="source">
            <SourcePanel />
          </Shown>
          <Shown name="events">
            <EventSources />
          </Shown>
          <Shown name="run">
            <RunSettingsPanel />
          </Shown>
        </div>
        <div className="detect-centre">
          <Shown name="panes">
            <DetectionPanes />
          </Shown>
          <RecordingPanel />
          <Shown name="network">
            <NetworkPanel />
          </Shown>
          <div className="detect-row">
            <Shown name="raster">
              <RasterPanel />
            </Shown>
            <Shown name="rates">
              <RatesPanel />
            </Shown>
          </div>
          <Suspense>
            <Shown name="explain">
              <ExplainPanel />
            </Shown>
            <div className="detect-row">
              <Shown name="difference">
                <DifferencePanel />
              </Shown>
              <Shown name="histogram">
                <HistogramPanel />
              </Shown>
            </div>
            <Shown name="compare">
              <ComparePanel />
            </Shown>
            <Shown name="energy">
              <EnergyPanel />
            </Shown>
          </Suspense>
        </div>
        <div className="detect-right">
          <Shown name="inspector">
            <Inspector />
          </Shown>
        </div>
      </main>
      <footer className="app-footer">
        <Timeline />
      </footer>
    </>
  );
}

/** A panel, unless the address hides it. */
function Shown({ name, children }: { name: PanelName; children: ReactNode }) {
  return usePlayground((state) => state.view.hidden.includes(name)) ? null : children;
}
