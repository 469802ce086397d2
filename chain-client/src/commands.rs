//! The commands of the program.

mod doctor;
mod plan;

use crate::{
    args::{Cli, Command, RunArgs, ValidateArgs},
    config::{self, Problems},
    exit::Exit,
    log, metrics,
    output::Output,
    report::target_text,
    run::{self, Show},
    step::Step,
    stop::Stop,
};
use std::process::ExitCode;

/// Does what the command line says.
pub async fn main(cli: Cli) -> Exit {
    let output = Output::standard(!config::no_color());
    if let Err(problem) = log::start(&cli.log, &output) {
        return refuse(&output, &vec![problem]);
    }
    command(cli.command, output).await
}

/// Does one command.
pub(crate) async fn command(command: Command, output: Output) -> Exit {
    match command {
        Command::Run(args) => run(*args, output).await,
        Command::Plan(args) => plan::plan(*args, &output).await,
        Command::Doctor(args) => doctor::doctor(*args, &output).await,
        Command::Validate(args) => validate(&args, &output),
        Command::MetricsDoc => {
            output.data(metrics::markdown().trim_end());
            Exit::Ok
        }
    }
}

async fn run(args: RunArgs, output: Output) -> Exit {
    let show = Show {
        progress: args.progress,
        json: args.json,
    };
    match config::for_run(args) {
        Ok(settings) => Box::pin(run::run(settings, show, output, Stop::new())).await,
        Err(problems) => refuse(&output, &problems),
    }
}

fn validate(args: &ValidateArgs, output: &Output) -> Exit {
    match config::for_prompts(args.config.as_deref(), args.prompts.as_deref()) {
        Ok((library, recipes)) => {
            if let Err(problem) = plan::render_all(&library) {
                return refuse(output, &vec![problem]);
            }
            for step in Step::ALL {
                let (prompt, recipe) = (library.step(step), &recipes[step.index()]);
                output.data(&format!(
                    "ok  {}/{}  {}  {}, at most {} output tokens",
                    prompt.name,
                    prompt.version,
                    &prompt.sha256[..12],
                    target_text(&recipe.target),
                    recipe.max_output_tokens
                ));
            }
            Exit::Ok
        }
        Err(problems) => refuse(output, &problems),
    }
}

fn refuse(output: &Output, problems: &Problems) -> Exit {
    for problem in problems {
        output.note(&format!("error: {problem}"));
    }
    Exit::Usage
}

/// Tells that the program could not start its runtime.
pub fn cannot_start(error: &std::io::Error) -> ExitCode {
    Output::standard(false).note(&format!("error: cannot start: {error}"));
    Exit::Usage.into()
}
