// Domain 0's own programs, run for what the kernel offers no better way to.
using System.ComponentModel;
using System.Diagnostics;

namespace Xenolith.Toolstack.Interop;

/// <summary>A program could not be run, or failed; the message says which, and what it said.</summary>
internal sealed class ProgramException(string message) : Exception(message);

/// <summary>Runs programs and says what they said when they fail.</summary>
internal static class Programs
{
    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">Its name, looked for in PATH.</param>
    /// <param name="arguments">Its arguments; no shell reads them.</param>
    /// <param name="input">What it reads, or null.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What it has printed.</returns>
    /// <exception cref="ProgramException">It is not there, or it failed.</exception>
    internal static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string? input = null, CancellationToken cancellation = default)
    {
        using Process process = Start(program, arguments, input is not null);
        try
        {
            if (input is not null)
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancellation).ConfigureAwait(false);
                process.StandardInput.Close();
            }

            Task<string> errors = process.StandardError.ReadToEndAsync(cancellation);
            string output = await process.StandardOutput.ReadToEndAsync(cancellation).ConfigureAwait(false);
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            string said = (await errors.ConfigureAwait(false)).Trim();
            return process.ExitCode == 0 ? output : throw new ProgramException($"'{program} {string.Join(' ', arguments)}' failed: {(said.Length > 0 ? said : $"exit status {process.ExitCode}")}");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
        finally
        {
            // The process leaves its pipes to the garbage collector.
            process.StandardOutput.Dispose();
            process.StandardError.Dispose();
        }
    }

    /// <summary>Loads a module of the kernel, unless it is there.</summary>
    /// <exception cref="ProgramException">It cannot be loaded.</exception>
    internal static async Task LoadModuleAsync(string module, CancellationToken cancellation)
    {
        if (!Directory.Exists("/sys/module/" + module.Replace('-', '_')))
        {
            await RunAsync("modprobe", [module], null, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The same for a module that a kernel may have built in; what is missing after that, its first user names.</summary>
    internal static async Task TryLoadModuleAsync(string module, CancellationToken cancellation)
    {
        try
        {
            await LoadModuleAsync(module, cancellation).ConfigureAwait(false);
        }
        catch (ProgramException)
        {
        }
    }

    private static Process Start(string program, IEnumerable<string> arguments, bool hasInput)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = hasInput };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            throw new ProgramException($"the program '{program}' is not there: install it in Domain 0");
        }
    }
}
