// parity2
OPENQASM 3.0;
include "stdgates.inc";
@qrnn.weight
input float[64] theta_0;
@qrnn.weight
input float[64] theta_1;
@qrnn.weight
input float[64] theta_2;
@qrnn.weight
input float[64] theta_3;
@qrnn.feature
input float[64] input_bit;
qubit[1] io;
qubit[1] hidden;
bit[1] readout;
rx(pi*input_bit) io[0];
ry(theta_0) io[0];
ry(theta_1) hidden[0];
cx io[0], hidden[0];
rz(theta_2) io[0];
rz(theta_3) hidden[0];
readout[0] = measure io[0];
reset io[0];
@qrnn.last_step
readout[0] = measure hidden[0];
