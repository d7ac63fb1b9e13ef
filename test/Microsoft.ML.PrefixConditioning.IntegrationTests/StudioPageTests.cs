using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Microsoft.ML.PrefixConditioning.IntegrationTests;

/// <summary>samples/Studio in the system's Chromium: by keyboard alone, for screen readers, on a phone. Skipped without it.</summary>
[TestClass]
public sealed class StudioPageTests
{
    private const string Chromium = "/usr/bin/chromium";

    private static StudioProcess? _studio;
    private static IPlaywright? _playwright;
    private static IBrowser? _browser;

    [ClassInitialize]
    public static async Task Start(TestContext context)
    {
        if (!File.Exists(Chromium)) return;
        _studio = StudioProcess.Start(Tiny.Data.Labeled);
        _playwright = await Playwright.Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = Chromium, Args = ["--no-sandbox"] });
    }

    [ClassCleanup]
    public static async Task Stop()
    {
        if (_browser is not null) await _browser.CloseAsync();
        _playwright?.Dispose();
        _studio?.Dispose();
    }

    [TestMethod]
    public async Task Page_KeyboardAlone_ClassifiesAndSearches()
    {
        var page = await Open();
        await TabTo(page, "classes");
        await page.Keyboard.TypeAsync("red\ngreen\nblue");
        await Expect(page.Locator("#gallery .bars dt")).ToHaveCountAsync(3 * 24);
        await Expect(page.Locator("#gallery li:has-text('0.png') dt").First).ToHaveTextAsync("blue");   // the first folder

        await TabTo(page, "weight");
        for (var i = 0; i < 5; i++) await page.Keyboard.PressAsync("ArrowRight");
        await Expect(page.Locator("#chosen")).ToHaveTextAsync("75 % caption, 25 % classification");
        await Expect(page.Locator("#weight")).ToHaveAttributeAsync("aria-valuetext", "75 % caption, 25 % classification");

        await TabTo(page, "auto");
        await page.Keyboard.PressAsync("Space");
        await Expect(page.Locator("#auto")).ToHaveAttributeAsync("aria-pressed", "true");
        await Expect(page.Locator("#chosen")).ToContainTextAsync("chosen from the images: ");

        await TabTo(page, "text");
        await page.Keyboard.TypeAsync("photo of something green");
        await Expect(page.Locator("#gallery li").First).ToContainTextAsync("similarity");
        await Expect(page.Locator("#gallery li dt").First).ToHaveTextAsync("green");
        await Expect(page.Locator("[role=status]")).ToContainTextAsync("Nearest to");

        await TabTo(page, "SUMMARY");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#positions tr")).ToHaveCountAsync(24);
    }

    [TestMethod]
    public async Task Page_EveryControl_ShowsItsFocus()
    {
        var page = await Open();
        var seen = new HashSet<string>();
        for (var i = 0; i < 12; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            var name = await Focused(page);
            var outline = await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle");
            if (name is "BODY") break;
            seen.Add(name);
            Assert.AreEqual("solid", outline, name);
        }
        string[] controls = ["files", "directory", "folder", "clear", "classes", "weight", "auto", "text"];
        CollectionAssert.IsSubsetOf(controls, seen.ToArray());
    }

    [TestMethod]
    [DataRow(ColorScheme.Light)]
    [DataRow(ColorScheme.Dark)]
    public async Task Page_InUse_HasNoAccessibilityViolations(ColorScheme scheme)
    {
        var page = await Open(new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
        await Use(page);

        var violations = (await page.RunAxe()).Violations;

        Assert.IsEmpty(violations, string.Join('\n', violations.SelectMany(v => v.Nodes.Select(n => $"{v.Id}: {n.Html}"))));
    }

    [TestMethod]
    public async Task Page_OnAPhone_DoesNotScrollSideways()
    {
        var page = await Open(new() { ViewportSize = new() { Width = 360, Height = 740 }, HasTouch = true });
        await Use(page);
        await page.Locator("summary").ClickAsync();

        Assert.AreEqual(360, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
    }

    [TestMethod]
    public async Task Page_FilesAndHostileName_AreShownAsText()
    {
        var page = await Open();
        var errors = new List<string>();
        page.Console += (_, message) => { if (message.Type == "error") errors.Add(message.Text); };
        page.PageError += (_, error) => errors.Add(error);
        var good = await File.ReadAllBytesAsync(Tiny.Data.Image(0));

        await page.Locator("#files").SetInputFilesAsync((FilePayload[])
        [
            new() { Name = "<b>bold<b>.png", MimeType = "image/png", Buffer = good },
            new() { Name = "broken.png", MimeType = "image/png", Buffer = "no picture"u8.ToArray() },
        ]);

        await Expect(page.Locator("#gallery li").Last).ToContainTextAsync("<b>bold<b>.png");
        await Expect(page.Locator("[role=alert]")).ToContainTextAsync("broken.png: ");
        Assert.AreEqual(0, await page.Locator("#gallery b").CountAsync());
        Assert.IsEmpty(errors, string.Join('\n', errors));
    }

    private static async Task<IPage> Open(BrowserNewContextOptions? options = null)
    {
        if (_browser is null) Assert.Inconclusive($"{Chromium} is missing.");
        foreach (var earlier in _browser.Contexts) await earlier.CloseAsync();   // and its connections
        await _studio!.Send(HttpMethod.Delete, "api/images");
        await _studio.Send(HttpMethod.Post, "api/folder");
        var context = await _browser.NewContextAsync(options);
        var page = await context.NewPageAsync();
        await page.GotoAsync(_studio.Client.BaseAddress!.ToString());
        await Expect(page.Locator("[role=status]")).ToContainTextAsync("images.");
        return page;
    }

    private static async Task Use(IPage page)
    {
        await page.Locator("#classes").FillAsync("red\ngreen\nblue");
        await Expect(page.Locator("#gallery .bars dt").First).ToBeVisibleAsync();
        await page.Locator("#auto").ClickAsync();
        await Expect(page.Locator("#chosen")).ToContainTextAsync("chosen from the images: ");
        await Expect(page.Locator("#legend li")).ToHaveCountAsync(3);
    }

    private static async Task TabTo(IPage page, string name)
    {
        for (var i = 0; i < 20 && await Focused(page) != name; i++) await page.Keyboard.PressAsync("Tab");
        Assert.AreEqual(name, await Focused(page), "It cannot be reached by Tab.");
    }

    private static Task<string> Focused(IPage page) =>
        page.EvaluateAsync<string>("document.activeElement.id || document.activeElement.tagName");
}
