import { Suspense, lazy, useEffect, useState } from 'react';
import { startKeys } from '../commands/keys';
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
import { HelpDialog } from './HelpDialog';
import { usePlayground } from '../state/store';
import { Messages } from './Messages';
import { pages } from './pages';

const ComparePanel = lazy(() => import('../features/compare/ComparePanel').then(({ ComparePanel: panel }) => ({ default: panel })));
const EnergyPanel = lazy(() => import('../features/energy/EnergyPanel').then(({ EnergyPanel: panel }) => ({ default: panel })));

/** The shell: what stays while pages change. */
export function App() {
  const [helpIsOpen, showHelp] = useState(false);
  const page = usePlayground((state) => state.view.page);
  useEffect(() => startKeys(() => showHelp(true)), []);
  const Page = pages.find(({ name }) => name === page)?.Page ?? DetectPage;
  return (
    <DropTarget>
      <AppHeader onHelp={() => showHelp(true)} />
      <Activities />
      <Messages />
      <Suspense fallback={<p className="page-loading">Opening the page…</p>}>
        <Page />
      </Suspense>
      <HelpDialog isOpen={helpIsOpen} onClose={() => showHelp(false)} />
    </DropTarget>
  );
}

function DetectPage() {
  return (
    <>
      <main className="detect-page">
        <div className="detect-left">
          <SourcePanel />
          <EventSources />
          <RunSettingsPanel />
        </div>
        <div className="detect-centre">
          <DetectionPanes />
          <RecordingPanel />
          <NetworkPanel />
          <div className="detect-row">
            <RasterPanel />
            <RatesPanel />
          </div>
          <Suspense>
            <ComparePanel />
            <EnergyPanel />
          </Suspense>
        </div>
        <div className="detect-right">
          <Inspector />
        </div>
      </main>
      <footer className="app-footer">
        <Timeline />
      </footer>
    </>
  );
}
