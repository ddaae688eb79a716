import { ConfusionTable } from '../../charts/ConfusionTable';
import { CountBars } from '../../charts/CountBars';
import { PrecisionRecall } from '../../charts/PrecisionRecall';
import { showRule } from '../../commands/evaluate';
import { usePlayground } from '../../state/store';
import { Panel, SelectField } from '../../ui/controls';
import { caseTitle, share } from './words';

const rules = [
  { id: 'released', label: 'Released code’s rule' },
  { id: 'coco', label: 'COCO’s rule' },
] as const;

/** Curves of more classes than this run into each other: those with the most labels are shown. */
const mostCurves = 10;

const errorKinds = [
  { kind: 'correct', name: 'Correct', meaning: 'IoU of at least 0.5 with a label of its class' },
  { kind: 'class', name: 'Wrong class', meaning: 'the right place, the wrong class' },
  { kind: 'place', name: 'Wrong place', meaning: 'the right class, IoU from 0.1 to 0.5' },
  { kind: 'both', name: 'Both', meaning: 'the wrong class, IoU from 0.1 to 0.5' },
  { kind: 'duplicate', name: 'Duplicate', meaning: 'a surer box has found the label already' },
  { kind: 'background', name: 'Background', meaning: 'IoU below 0.1 with every label' },
  { kind: 'missed', name: 'Missed', meaning: 'a label with no box, and no box of the wrong class or place on it' },
] as const;

/** One network closely: classes, curves, confusion; and the errors of all. */
export function CasePanels() {
  const state = usePlayground(({ evaluate }) => evaluate.evaluation?.state);
  const shown = usePlayground(({ evaluate }) => evaluate.shownCase);
  const rule = usePlayground(({ evaluate }) => evaluate.shownRule);
  const theme = usePlayground(({ view }) => view.shownTheme);
  const found = state?.cases[shown];
  if (!state || !found) return null;
  const { released, coco } = found;
  const classes = found[rule].perClass;
  const mostLabelled = classes.toSorted((a, b) => b.labels - a.labels).slice(0, mostCurves);
  const curves = classes
    .filter((each) => mostLabelled.includes(each))
    .map(({ name, class: label, ap50, precision50 }) => ({ name, class: label, ap: ap50, precision: precision50 }));
  const ruleLabel = rules.find(({ id }) => id === rule)?.label ?? '';
  return (
    <>
      <div className="evaluate-pair">
        <Panel title="Classes" aside={caseTitle(found)}>
          <div className="evaluate-table evaluate-tall" tabIndex={0} role="region" aria-label={`Classes of ${caseTitle(found)}`}>
            <table data-testid="evaluation-classes">
              <thead>
                <tr>
                  <td rowSpan={2} />
                  <th rowSpan={2} scope="col">
                    Labels
                  </th>
                  <th colSpan={2} scope="colgroup">
                    Released code
                  </th>
                  <th colSpan={2} scope="colgroup">
                    COCO
                  </th>
                </tr>
                <tr>
                  {['AP50', 'AP', 'AP50 ', 'AP '].map((name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {released.perClass.map((one) => {
                  const other = coco.perClass.find(({ class: label }) => label === one.class);
                  return (
                    <tr key={one.class}>
                      <th scope="row">{one.name}</th>
                      <td>{one.labels}</td>
                      <td>{share(one.ap50)}</td>
                      <td>{share(one.ap)}</td>
                      <td>{share(other?.ap50)}</td>
                      <td>{share(other?.ap)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        </Panel>
        <Panel
          title="Precision and recall"
          aside={
            <span className="evaluate-buttons">
              {caseTitle(found)}
              <SelectField label="Rule" hideLabel choices={rules} value={rule} onChange={showRule} />
            </span>
          }
        >
          <PrecisionRecall curves={curves} rule={`${ruleLabel}, IoU 0.5${curves.length < classes.length ? `; the ${curves.length} classes with the most labels` : ''}`} theme={theme} />
        </Panel>
      </div>
      <Panel title="Errors by kind" aside="boxes as shown: confidence 0.25, NMS 0.45">
        <CountBars
          title="Errors by kind"
          columns={state.cases.map(caseTitle)}
          rows={errorKinds.map(({ kind, name, meaning }) => ({ name, meaning, counts: state.cases.map(({ errors }) => errors[kind]) }))}
          theme={theme}
        />
      </Panel>
      <Panel title="Confusion" aside={`${caseTitle(found)}; confidence 0.25, NMS 0.45, pairs from IoU 0.5`}>
        <ConfusionTable matrix={found.confusion} classNames={found.classNames} theme={theme} />
      </Panel>
    </>
  );
}
