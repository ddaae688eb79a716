import { usePlayground } from '../../state/store';
import { CasePanels } from './CasePanels';
import { ChoicePanel } from './ChoicePanel';
import { DatasetPanel } from './DatasetPanel';
import { ResultsPanel } from './ResultsPanel';
import { RulesPanel } from './RulesPanel';
import { WorstPanel } from './WorstPanel';
import './evaluate.css';

export default function EvaluatePage() {
  const hasResult = usePlayground((state) => state.evaluate.evaluation?.state !== undefined);
  return (
    <main className="other-page">
      <div className="evaluate-choices">
        <DatasetPanel />
        <ChoicePanel />
      </div>
      <ResultsPanel />
      {hasResult && <CasePanels />}
      {hasResult && <WorstPanel />}
      <RulesPanel />
    </main>
  );
}
