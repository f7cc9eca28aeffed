//! The one integration binary: everything that looks at Road Runner from outside. Never a test of one module's insides.

#[cfg(test)]
mod adapters;
#[cfg(test)]
mod application;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod controllers;
#[cfg(test)]
mod detached;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod evidence_page;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod fuzz_corpora;
#[cfg(test)]
mod interruptions;
#[cfg(test)]
mod load;
#[cfg(test)]
mod lost_page_cache;
#[cfg(test)]
mod maintain;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod picture;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod rails;
#[cfg(test)]
mod reliability_page;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod unattended;
#[cfg(test)]
mod verify;
