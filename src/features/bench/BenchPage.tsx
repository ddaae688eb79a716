import { CostsPanel } from './CostsPanel';
import { MethodPanel } from './MethodPanel';
import { RacePanel } from './RacePanel';
import { SetupPanel } from './SetupPanel';
import './bench.css';

export default function BenchPage() {
  return (
    <main className="other-page">
      <SetupPanel />
      <RacePanel />
      <CostsPanel />
      <MethodPanel />
    </main>
  );
}
