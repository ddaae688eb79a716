import { showCase } from '../../commands/evaluate';
import { saveEvaluationCsv, saveEvaluationJson, saveEvaluationResults } from '../../commands/evaluationFiles';
import { usePlayground, type EvaluatedCase } from '../../state/store';
import { Button, Panel } from '../../ui/controls';
import { MenuButton } from '../../ui/MenuButton';
import { listed, Problems } from './DatasetPanel';
import { caseTitle, microjoules, share } from './words';

/** All networks side by side; a row is chosen for the panels below. */
export function ResultsPanel() {
  const evaluation = usePlayground((state) => state.evaluate.evaluation);
  const shown = usePlayground((state) => state.evaluate.shownCase);
  const backend = usePlayground((state) => state.backend);
  if (!evaluation?.state) {
    return (
      <Panel title="Results">
        <p className="evaluate-note">{evaluation?.isRunning ? 'The first samples are on their way.' : 'Nothing has been evaluated yet.'}</p>
      </Panel>
    );
  }
  const { state, title } = evaluation;
  const { cases } = state;
  return (
    <Panel title="Results" aside={<ExportMenu cases={cases} />}>
      <p className="evaluate-note">
        {title}, {state.done} of {state.total} samples{state.finished ? '' : ' so far'}. Confidence 0.001, NMS 0.6, every class of a box counts.
      </p>
      <div className="evaluate-table" tabIndex={0} role="region" aria-label="Results of all networks">
        <table data-testid="evaluation-results">
          <thead>
            <tr>
              <td rowSpan={2} />
              <th rowSpan={2} scope="col">
                Input
              </th>
              <th colSpan={2} scope="colgroup">
                Released code’s rule
              </th>
              <th colSpan={7} scope="colgroup">
                COCO’s rule
              </th>
              <th colSpan={3} scope="colgroup">
                A sample takes
              </th>
              <th rowSpan={2} scope="col">
                Firing rate
              </th>
            </tr>
            <tr>
              {['mAP50', 'mAP', 'AP50', 'AP', 'AP75', 'small', 'medium', 'large', 'AR100', 'ms', 'SNN energy', 'ANN energy'].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cases.map((each, index) => (
              <tr key={index} aria-current={index === shown || undefined}>
                <th scope="row">
                  <button type="button" className="evaluate-case" aria-pressed={index === shown} onClick={() => showCase(index)}>
                    {caseTitle(each)}
                  </button>
                </th>
                <td>{each.inputSize === 'native' ? 'sensor’s' : `${each.inputSize} px`}</td>
                {figures(each).map((text, column) => (
                  <td key={column}>{text}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul className="evaluate-notes">
        <li>
          Times: the network’s median on {backend?.label ?? 'the engine'}, reading back included, without reading and scaling the picture (median {cases[0]?.timing?.preprocessMs.toFixed(0) ?? '–'} ms).
          Energy and firing rate: means over the samples. {state.energyConvention}; the rate is that of the neurons that convolutions read, weighted by their operations.
        </li>
        {notes(cases).map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
      <Problems problems={state.dataset.problems} count={state.dataset.problemCount} />
    </Panel>
  );
}

function figures({ mode, released, coco, timing, snnPj, annPj, firingRate }: EvaluatedCase): string[] {
  return [
    share(released.map50),
    share(released.map),
    share(coco.map50),
    share(coco.map),
    share(coco.map75),
    share(coco.mapByArea.small),
    share(coco.mapByArea.medium),
    share(coco.mapByArea.large),
    share(coco.recallByLimit[100]),
    timing ? timing.inferenceMs.toFixed(1) : '–',
    mode === 'ann' ? '–' : microjoules(snnPj),
    microjoules(annPj),
    mode === 'ann' ? '–' : share(firingRate),
  ];
}

/** What a person should know before they quote a figure; each sentence once. */
function notes(cases: readonly EvaluatedCase[]): string[] {
  return [
    ...new Set(
      cases.flatMap(({ network, unknownClasses, matchedBy, sizeChosenBy, inputSize }) => [
        ...(unknownClasses.length > 0 ? [`${network} does not know ${listed(unknownClasses)}: these labels were left out.`] : []),
        ...(matchedBy === 'order' ? [`No class name of the data set is one of ${network}: classes were taken in order.`] : []),
        ...(sizeChosenBy === 'assumption' ? [`${network} does not say what size it was trained at; ${inputSize} px is assumed.`] : []),
      ]),
    ),
  ];
}

function ExportMenu({ cases }: { cases: readonly EvaluatedCase[] }) {
  return (
    <span className="evaluate-buttons">
      <Button look="quiet" onPress={saveEvaluationJson}>
        Save as JSON
      </Button>
      <Button look="quiet" onPress={saveEvaluationCsv}>
        Save as CSV
      </Button>
      <MenuButton
        label="COCO results"
        entries={() => cases.map((each, index) => ({ id: String(index), label: caseTitle(each) }))}
        onChoose={(id) => void saveEvaluationResults(Number(id))}
      />
    </span>
  );
}
