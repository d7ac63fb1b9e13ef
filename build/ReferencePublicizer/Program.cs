using Microsoft.ML.PrefixConditioning.Build;

return PublicizerCommand.Run(args, Console.Error);
