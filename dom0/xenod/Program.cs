// The daemon of Domain 0.

Console.Error.WriteLine("usage: xenod [options]");
return args.Length == 0 ? 0 : 2;
