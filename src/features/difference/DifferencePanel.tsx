import { useMemo, useState } from 'react';
import { pairBoxes } from '../../base/boxDifference';
import type { Detection } from '../../base/geometry';
import { BoxOverlay } from '../../charts/BoxOverlay';
import type { KindNames, OverlayBox } from '../../charts/boxText';
import { EventPicture } from '../../charts/EventPicture';
import { KindKeys } from '../../charts/KindKeys';
import { TableDetails } from '../../charts/TableDetails';
import { chooseBox } from '../../commands/explain';
import { setView, usePlayground } from '../../state/store';
import { Panel, SelectField } from '../../ui/controls';
import './difference.css';

const none: readonly Detection[] = [];
const names = { ann: 'ANN', converted: 'converted SNN' } as const;

/** The SNN's boxes against another network's: shared ones, and those that only one of them has. */
export function DifferencePanel() {
  const source = usePlayground((state) => state.source);
  const results = usePlayground((state) => state.results);
  const step = usePlayground((state) => state.view.step);
  const theme = usePlayground((state) => state.view.shownTheme);
  const hovered = usePlayground((state) => state.view.hoveredBox);
  const [wanted, setWanted] = useState<'ann' | 'converted'>('ann');
  const other = wanted === 'converted' && results.converted ? 'converted' : 'ann';
  const boxesOf = (slot: 'snn' | 'ann' | 'converted'): readonly Detection[] => {
    const pane = results[slot];
    if (!pane || pane.sourceId !== source?.id) return none;
    const lists = pane.result.detectionsPerStep;
    return lists[Math.min(slot === 'snn' ? step : 0, lists.length - 1)] ?? none;
  };
  const first = boxesOf('snn');
  const second = boxesOf(other);
  const pairs = useMemo(() => pairBoxes(first, second), [first, second]);
  const boxes = useMemo(
    () =>
      pairs.flatMap((pair): OverlayBox[] => {
        const box = first[pair.first ?? -1] ?? second[pair.second ?? -1];
        if (!box) return [];
        const kind = pair.iou !== undefined ? 'both' : pair.first !== undefined ? 'only-first' : 'only-second';
        return [{ ...box, kind }];
      }),
    [pairs, first, second],
  );
  const hasBoth = results.snn?.sourceId === source?.id && results[other]?.sourceId === source?.id && source !== undefined;
  const kindNames: KindNames = { both: 'both', 'only-first': 'only SNN', 'only-second': `only ${names[other]}` };
  const pointed = hovered && pairs.findIndex((pair) => (hovered.slot === 'snn' ? pair.first : hovered.slot === other ? pair.second : undefined) === hovered.index);
  const marks = {
    theme,
    kindNames,
    hovered: pointed === -1 ? undefined : pointed,
    onHover: (index: number | undefined) => {
      const pair = pairs[index ?? -1];
      const slot = pair?.first === undefined ? other : 'snn';
      const at = pair?.first ?? pair?.second;
      setView({ hoveredBox: at === undefined ? undefined : { slot, index: at } });
    },
    onSelect: (index: number | undefined) => {
      const [pair, box] = [pairs[index ?? -1], boxes[index ?? -1]];
      chooseBox(pair && box && { of: pair.first === undefined ? other : 'snn', class: box.class, box: box.box });
    },
  };
  const title = `Boxes of SNN at step ${step + 1} and ${names[other]}`;
  return (
    <Panel
      title="Difference of boxes"
      aside={
        results.converted ? (
          <SelectField
            label="Other network"
            hideLabel
            choices={[
              { id: 'ann', label: 'against the ANN' },
              { id: 'converted', label: 'against the converted SNN' },
            ]}
            value={other}
            onChange={setWanted}
          />
        ) : (
          'matched by class and IoU of at least 0.5'
        )
      }
    >
      {hasBoth ? (
        <div className="chart">
          <div className="difference-picture" data-testid="difference">
            {source.kind === 'picture' ? (
              <BoxOverlay title={title} image={source.bitmap} width={source.size.width} height={source.size.height} detections={boxes} {...marks} />
            ) : (
              <EventPicture title={title} sensor={source.size} pixels={source.view.pixels} boxes={boxes} {...marks} />
            )}
          </div>
          {source.kind === 'picture' && <KindKeys theme={theme} boxes={boxes} names={kindNames} />}
          <TableDetails
            summary="Table of the difference"
            columns={['Class', 'Found by', 'SNN score', `${names[other]} score`, 'IoU']}
            rows={() =>
              pairs.map((pair, index) => [
                boxes[index]?.name ?? '',
                kindNames[boxes[index]?.kind ?? 'both'] ?? '',
                first[pair.first ?? -1]?.score.toFixed(3) ?? '–',
                second[pair.second ?? -1]?.score.toFixed(3) ?? '–',
                pair.iou?.toFixed(2) ?? '–',
              ])
            }
          />
        </div>
      ) : (
        <p className="panel-empty">It needs boxes of two networks on the same picture.</p>
      )}
    </Panel>
  );
}
