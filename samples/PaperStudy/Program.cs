using PaperStudy;

return StudyArguments.Run(args, arguments =>
{
    using var stop = new CancellationTokenSource();
    Console.CancelKeyPress += (_, e) =>
    {
        e.Cancel = true;   // training ends with a checkpoint
        stop.Cancel();
    };
    var complete = new StudyRun(arguments).Run(stop.Token);
    Console.WriteLine(complete ? "The study is complete." : "The study is not complete; the same command goes on where it stopped.");
    Console.WriteLine($"Report: {Path.GetFullPath(Path.Combine(arguments.Output, "report.html"))}");
});
