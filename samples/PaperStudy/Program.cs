using PaperStudy;

return StudyArguments.Run(args, arguments =>
{
    using var stop = new CancellationTokenSource();
    Console.CancelKeyPress += (_, e) =>
    {
        e.Cancel = true;   // training ends with a checkpoint
        stop.Cancel();
    };
    bool complete;
    try
    {
        complete = new StudyRun(arguments, stop.Token).Run(stop.Token);
    }
    catch (OperationCanceledException)
    {
        Console.WriteLine("Stopped.");
        return;
    }
    Console.WriteLine(complete ? "The study is complete." : "The study is not complete. Run the same command to resume.");
    Console.WriteLine($"Report: {Path.GetFullPath(Path.Combine(arguments.Output, "report.html"))}");
});
