// viqueira_emcz2
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
@qrnn.weight
input float[64] theta_4;
@qrnn.weight
input float[64] theta_5;
@qrnn.weight
input float[64] theta_6;
@qrnn.weight
input float[64] theta_7;
@qrnn.weight
input float[64] theta_8;
@qrnn.weight
input float[64] theta_9;
@qrnn.weight
input float[64] theta_10;
@qrnn.weight
input float[64] theta_11;
@qrnn.weight
input float[64] theta_12;
@qrnn.weight
input float[64] theta_13;
@qrnn.weight
input float[64] theta_14;
@qrnn.weight
input float[64] theta_15;
@qrnn.weight
input float[64] theta_16;
@qrnn.weight
input float[64] theta_17;
@qrnn.weight
input float[64] theta_18;
@qrnn.weight
input float[64] theta_19;
@qrnn.weight
input float[64] theta_20;
@qrnn.weight
input float[64] theta_21;
@qrnn.weight
input float[64] theta_22;
@qrnn.weight
input float[64] theta_23;
@qrnn.weight
input float[64] theta_24;
@qrnn.feature
input float[64] x_0;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(x_0) io[0];
rx(theta_0) io[0];
rz(theta_1) io[0];
ry(x_0) io[0];
rx(theta_2) io[0];
rz(theta_3) io[0];
ry(x_0) io[0];
rx(theta_4) io[0];
rz(theta_5) io[0];
ry(x_0) io[0];
rx(theta_6) io[0];
rz(theta_7) io[0];
rx(theta_8) hidden[0];
rz(theta_9) hidden[0];
rx(theta_10) hidden[1];
rz(theta_11) hidden[1];
cz io[0], hidden[0];
cz hidden[0], hidden[1];
rx(theta_12) io[0];
rz(theta_13) io[0];
rx(theta_14) hidden[0];
rz(theta_15) hidden[0];
rx(theta_16) hidden[1];
rz(theta_17) hidden[1];
cz io[0], hidden[0];
cz hidden[0], hidden[1];
rx(theta_18) io[0];
rz(theta_19) io[0];
rx(theta_20) hidden[0];
rz(theta_21) hidden[0];
rx(theta_22) hidden[1];
rz(theta_23) hidden[1];
cz io[0], hidden[0];
cz hidden[0], hidden[1];
rx(theta_24) io[0];
readout[0] = measure io[0];
reset io[0];
