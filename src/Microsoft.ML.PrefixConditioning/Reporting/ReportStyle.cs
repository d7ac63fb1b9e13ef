namespace Microsoft.ML.PrefixConditioning;

/// <summary>The report's style sheet: for light and dark screens, narrow windows and paper.</summary>
internal static class ReportStyle
{
    public const string Css = """

        :root {
          color-scheme: light dark;
          --page: #fdfdfc; --text: #1d2126; --soft: #5b6470; --line: #d8dce1; --panel: #f3f5f7; --right: #1c7a36; --wrong: #b3261e;
          --series0: #b4530f; --series1: #1a5fb4; --series2: #6b3fa0; --series3: #0f766e;
          --series4: #a3195b; --series5: #5c6b00; --series6: #7a4b22; --series7: #444b54;
          --heat1: #e3ecf8; --heat2: #c5d9f2; --heat3: #9fc1ea; --heat4: #79a8e0;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #15181c; --text: #e6e8eb; --soft: #a2abb6; --line: #3a4149; --panel: #1e2329; --right: #6fd48a; --wrong: #ff8f85;
            --series0: #f0a05a; --series1: #7db4f5; --series2: #c3a1ee; --series3: #5eccc0;
            --series4: #f48fb8; --series5: #c3d14a; --series6: #d3a27c; --series7: #b9c0c9;
            --heat1: #1c2a3d; --heat2: #213957; --heat3: #274a75; --heat4: #2d5a92;
          }
        }
        body { margin: 0 auto; padding: 1rem; max-width: 68rem; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
        body { background: var(--page); color: var(--text); }
        h1 { line-height: 1.2; margin: .5rem 0; }
        h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
        h3 { margin: 1.5rem 0 .25rem; }
        p { margin: .25rem 0 .75rem; }
        .headline { font-size: 1.2rem; border-left: 4px solid var(--series1); padding-left: .75rem; }
        .note, .legend { color: var(--soft); font-size: .875rem; }
        dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1.25rem; }
        dt { color: var(--soft); }
        dd { margin: 0; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; overflow-wrap: normal; }
        th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
        td.number { white-space: nowrap; }
        td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
        tbody th { font-weight: normal; min-width: 6rem; }
        .heat0, .heat1, .heat2, .heat3, .heat4 { text-align: center; border: 1px solid var(--line); }
        .heat1 { background: var(--heat1); }
        .heat2 { background: var(--heat2); }
        .heat3 { background: var(--heat3); }
        .heat4 { background: var(--heat4); }
        .diagonal { font-weight: bold; }
        summary { cursor: pointer; color: var(--soft); font-size: .875rem; padding: .35rem 0; }
        .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; margin-top: 1rem; }
        figure { margin: 0; padding: .6rem; background: var(--panel); border-radius: .5rem; min-width: 0; max-width: 34rem; }
        figcaption { margin-bottom: .4rem; }
        .chart { display: block; width: 100%; height: auto; font: 14px system-ui, sans-serif; }
        .chart text { fill: var(--text); }
        .grid { stroke: var(--line); }
        .axis { stroke: var(--soft); }
        .interval { stroke: var(--series1); stroke-width: 2; }
        .point { fill: var(--series1); }
        .raw, .smooth { fill: none; }
        .raw { stroke-width: 1; opacity: .28; }
        .smooth { stroke-width: 2.5; }
        .smooth.series1 { stroke-dasharray: 9 3; }
        .series0 { stroke: var(--series0); }
        .series1 { stroke: var(--series1); }
        .dot.series0 { fill: var(--series0); }
        .dot.series1 { fill: var(--series1); }
        .mark { stroke: none; opacity: .8; }
        .mark0 { fill: var(--series0); }
        .mark1 { fill: var(--series1); }
        .mark2 { fill: var(--series2); }
        .mark3 { fill: var(--series3); }
        .mark4 { fill: var(--series4); }
        .mark5 { fill: var(--series5); }
        .mark6 { fill: var(--series6); }
        .mark7 { fill: var(--series7); }
        .mark8 { fill: var(--soft); opacity: .5; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .2rem 0; padding: 0; }
        .legend svg { width: 36px; height: 12px; vertical-align: middle; }
        .legend svg.key { width: 14px; height: 14px; }
        .pictures { list-style: none; margin: .5rem 0; padding: 0; display: grid; gap: .6rem; }
        .pictures { grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr)); }
        .pictures li { padding: .5rem; background: var(--panel); border-radius: .4rem; border: 1px solid var(--line); min-width: 0; }
        .pictures li { font-size: .8125rem; line-height: 1.35; }
        .pictures li.right { border: 2px solid var(--right); }
        .pictures li.wrong { border: 2px dashed var(--wrong); }
        .pictures img { display: block; margin: 0 auto .4rem; object-fit: contain; }
        .verdict { font-weight: bold; }
        .right .verdict { color: var(--right); }
        .wrong .verdict { color: var(--wrong); }
        .lost { height: 96px; display: grid; place-items: center; text-align: center; color: var(--soft); overflow: hidden; }
        .query { display: grid; grid-template-columns: 96px 1fr; gap: .75rem; margin: 0 0 1rem; align-items: start; }
        .query ol { margin: 0; padding-left: 1.5rem; }
        @media print { body { max-width: none; } .pictures li, figure { break-inside: avoid; } }

        """;
}
